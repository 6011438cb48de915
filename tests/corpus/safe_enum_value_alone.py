"""enum value alone

Revision ID: 39f2847e67f7
Revises: 2f1c3f1cee01
"""

from alembic import op
import sqlalchemy as sa

revision = "39f2847e67f7"
down_revision = "2f1c3f1cee01"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'refunded' AFTER 'paid'")


def downgrade():
    op.execute("SELECT 1  -- a value of an enum cannot be taken away")
