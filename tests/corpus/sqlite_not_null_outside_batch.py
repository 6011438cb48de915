"""sqlite not null outside batch

Revision ID: a50ccb4f9329
Revises: f3692f88533b
"""

from alembic import op
import sqlalchemy as sa

revision = "a50ccb4f9329"
down_revision = "f3692f88533b"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("orders", "customer_id", existing_type=sa.Integer(), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
