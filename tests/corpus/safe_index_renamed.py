"""index renamed

Revision ID: 96063731e1a2
Revises: 06a261f09e26
"""

from alembic import op
import sqlalchemy as sa

revision = "96063731e1a2"
down_revision = "06a261f09e26"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER INDEX ix_old RENAME TO ix_orders_status")


def downgrade():
    op.execute("ALTER INDEX ix_orders_status RENAME TO ix_old")
