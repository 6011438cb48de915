"""view made

Revision ID: f28daba03c81
Revises: ba03e732f7f4
"""

from alembic import op
import sqlalchemy as sa

revision = "f28daba03c81"
down_revision = "ba03e732f7f4"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE OR REPLACE VIEW open_orders AS SELECT id, total FROM orders WHERE paid_at IS NULL")


def downgrade():
    op.execute("DROP VIEW open_orders")
