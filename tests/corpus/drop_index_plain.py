"""drop index plain

Revision ID: c742253872c3
Revises: f6b2a395232d
"""

from alembic import op
import sqlalchemy as sa

revision = "c742253872c3"
down_revision = "f6b2a395232d"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_index("ix_orders_old", table_name="orders")


def downgrade():
    op.create_index("ix_orders_old", "orders", ["old"])
