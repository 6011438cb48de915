"""storage parameters

Revision ID: 1cc06c5c2165
Revises: 4013e98a5743
"""

from alembic import op
import sqlalchemy as sa

revision = "1cc06c5c2165"
down_revision = "4013e98a5743"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.01)")
    op.execute("ALTER TABLE orders ALTER COLUMN status SET STATISTICS 500")


def downgrade():
    op.execute("ALTER TABLE orders RESET (autovacuum_vacuum_scale_factor)")
