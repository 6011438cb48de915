"""index plain

Revision ID: 27b7529c4316
Revises: 8ed44e3579a1
"""

from alembic import op
import sqlalchemy as sa

revision = "27b7529c4316"
down_revision = "8ed44e3579a1"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_orders_status", "orders", ["status"])


def downgrade():
    op.drop_index("ix_orders_status", table_name="orders")
