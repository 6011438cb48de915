"""concurrently as sql inside the transaction

Revision ID: 749c9f886b20
Revises: 9cf1a69fdb80
"""

from alembic import op
import sqlalchemy as sa

revision = "749c9f886b20"
down_revision = "9cf1a69fdb80"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_orders_total ON orders (total)")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
