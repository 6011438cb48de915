"""check as sql

Revision ID: bfb7247e85fb
Revises: 474d92b7ddbf
"""

from alembic import op
import sqlalchemy as sa

revision = "bfb7247e85fb"
down_revision = "474d92b7ddbf"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD CONSTRAINT ck_orders_total CHECK (total >= 0)")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
