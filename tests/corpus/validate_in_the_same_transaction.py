"""validate in the same transaction

Revision ID: 740b2fc26947
Revises: 12d5fd3eacaa
"""

from alembic import op
import sqlalchemy as sa

revision = "740b2fc26947"
down_revision = "12d5fd3eacaa"
branch_labels = None
depends_on = None


def upgrade():
    op.create_foreign_key(
        "fk_orders_customer", "orders", "customers", ["customer_id"], ["id"], postgresql_not_valid=True
    )
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_customer")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
