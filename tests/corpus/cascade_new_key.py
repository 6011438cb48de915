"""cascade new key

Revision ID: 4f46b7ba8323
Revises: 502e8852137e
"""

from alembic import op
import sqlalchemy as sa

revision = "4f46b7ba8323"
down_revision = "502e8852137e"
branch_labels = None
depends_on = None


def upgrade():
    op.create_foreign_key(
        "fk_items_order", "items", "orders", ["order_id"], ["id"], ondelete="CASCADE", postgresql_not_valid=True
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
