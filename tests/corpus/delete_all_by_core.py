"""delete all by core

Revision ID: ef47baaf6df0
Revises: 20aa432fbfd3
"""

from alembic import op
import sqlalchemy as sa

revision = "ef47baaf6df0"
down_revision = "20aa432fbfd3"
branch_labels = None
depends_on = None

sessions = sa.table("sessions", sa.column("id", sa.Integer))


def upgrade():
    op.execute(sessions.delete())


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
