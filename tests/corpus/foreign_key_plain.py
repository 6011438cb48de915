"""foreign key plain

Revision ID: 53f089a34b45
Revises: 21e0d34095d2
"""

from alembic import op
import sqlalchemy as sa

revision = "53f089a34b45"
down_revision = "21e0d34095d2"
branch_labels = None
depends_on = None


def upgrade():
    op.create_foreign_key("fk_orders_customer", "orders", "customers", ["customer_id"], ["id"])


def downgrade():
    op.drop_constraint("fk_orders_customer", "orders", type_="foreignkey")
