"""comments

Revision ID: 1cb2cd2b58ca
Revises: 80c4cc578fc6
"""

from alembic import op
import sqlalchemy as sa

revision = "1cb2cd2b58ca"
down_revision = "80c4cc578fc6"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table_comment("orders", "What customers bought")
    op.execute("COMMENT ON COLUMN orders.total IS 'in cents'")


def downgrade():
    op.drop_table_comment("orders")
