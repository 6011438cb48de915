"""index in batch on postgresql

Revision ID: 995f1595a0f7
Revises: 55ac18b1f213
"""

from alembic import op
import sqlalchemy as sa

revision = "995f1595a0f7"
down_revision = "55ac18b1f213"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_token"), ["token"], unique=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
