"""drop index concurrently

Revision ID: cb237d016249
Revises: 747c949ad92e
"""

from alembic import op
import sqlalchemy as sa

revision = "cb237d016249"
down_revision = "747c949ad92e"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index("ix_orders_old", table_name="orders", postgresql_concurrently=True, if_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_old", "orders", ["old"], postgresql_concurrently=True, if_not_exists=True)
