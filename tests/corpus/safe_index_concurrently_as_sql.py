"""index concurrently as sql

Revision ID: ebf6b1f36124
Revises: 146e801dc56f
"""

from alembic import op
import sqlalchemy as sa

revision = "ebf6b1f36124"
down_revision = "146e801dc56f"
branch_labels = None
depends_on = None


def upgrade():
    context = op.get_context()
    with context.autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_orders_total ON orders (total)")


def downgrade():
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_orders_total")
