"""index concurrently

Revision ID: 1921b39221ab
Revises: 99ac7d999cb0
"""

from alembic import op
import sqlalchemy as sa

revision = "1921b39221ab"
down_revision = "99ac7d999cb0"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_orders_status", "orders", ["status"], postgresql_concurrently=True, if_not_exists=True
        )


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("ix_orders_status", table_name="orders", postgresql_concurrently=True, if_exists=True)
