"""foreign key as sql

Revision ID: 4ef26dce2d6d
Revises: 79c5e65703d8
"""

from alembic import op
import sqlalchemy as sa

revision = "4ef26dce2d6d"
down_revision = "79c5e65703d8"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("""
        ALTER TABLE orders
            ADD CONSTRAINT fk_orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id);
    """)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
