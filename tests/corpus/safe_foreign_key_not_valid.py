"""foreign key not valid

Revision ID: 0fe4769d3aea
Revises: 0895fe76d166
"""

from alembic import op
import sqlalchemy as sa

revision = "0fe4769d3aea"
down_revision = "0895fe76d166"
branch_labels = None
depends_on = None


def upgrade():
    op.create_foreign_key(
        "fk_orders_customer", "orders", "customers", ["customer_id"], ["id"], postgresql_not_valid=True
    )


def downgrade():
    op.drop_constraint("fk_orders_customer", "orders", type_="foreignkey")
