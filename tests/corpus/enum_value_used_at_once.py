"""enum value used at once

Revision ID: ba3d724cf08e
Revises: 410fa24dc3c5
"""

from alembic import op
import sqlalchemy as sa

revision = "ba3d724cf08e"
down_revision = "410fa24dc3c5"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TYPE order_status ADD VALUE IF NOT EXISTS 'refunded'")
    op.execute("UPDATE orders SET status = 'refunded' WHERE refunded_at IS NOT NULL")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
