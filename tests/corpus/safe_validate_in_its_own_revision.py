"""validate in its own revision

Revision ID: 333dcf5f0275
Revises: 0b1cc05afd3f
"""

from alembic import op
import sqlalchemy as sa

revision = "333dcf5f0275"
down_revision = "0b1cc05afd3f"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT fk_orders_customer")


def downgrade():
    op.execute("SELECT 1  -- a validated constraint stays valid")
