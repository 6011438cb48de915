"""unique plain

Revision ID: 3e74db3dc71c
Revises: a4cce5836b07
"""

from alembic import op
import sqlalchemy as sa

revision = "3e74db3dc71c"
down_revision = "a4cce5836b07"
branch_labels = None
depends_on = None


def upgrade():
    op.create_unique_constraint("uq_users_email", "users", ["email"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
