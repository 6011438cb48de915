"""sqlite foreign key outside batch

Revision ID: 9934f3b9ee57
Revises: 0dfc9b1ffd40
"""

from alembic import op
import sqlalchemy as sa

revision = "9934f3b9ee57"
down_revision = "0dfc9b1ffd40"
branch_labels = None
depends_on = None


def upgrade():
    op.create_foreign_key("fk_orders_customer", "orders", "customers", ["customer_id"], ["id"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
