"""drop concurrently inside the transaction

Revision ID: c78b5193003c
Revises: 02b33f747fcc
"""

from alembic import op
import sqlalchemy as sa

revision = "c78b5193003c"
down_revision = "02b33f747fcc"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(sa.text("DROP INDEX CONCURRENTLY IF EXISTS ix_orders_old"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
