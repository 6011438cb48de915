"""concurrently inside the transaction

Revision ID: 17b373274b8a
Revises: 544166f56ac0
"""

from alembic import op
import sqlalchemy as sa

revision = "17b373274b8a"
down_revision = "544166f56ac0"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_orders_total", "orders", ["total"], postgresql_concurrently=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
