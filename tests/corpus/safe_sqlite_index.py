"""sqlite index

Revision ID: d6d296e06a7b
Revises: b198cd3c0650
"""

from alembic import op
import sqlalchemy as sa

revision = "d6d296e06a7b"
down_revision = "b198cd3c0650"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_orders_status", "orders", ["status"])
    op.execute("CREATE UNIQUE INDEX IF NOT EXISTS uq_orders_number ON orders (number)")


def downgrade():
    op.drop_index("ix_orders_status", table_name="orders")
