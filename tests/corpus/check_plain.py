"""check plain

Revision ID: 82a4836c42e5
Revises: 001cc612bbf0
"""

from alembic import op
import sqlalchemy as sa

revision = "82a4836c42e5"
down_revision = "001cc612bbf0"
branch_labels = None
depends_on = None


def upgrade():
    op.create_check_constraint("ck_orders_total", "orders", sa.column("total") >= 0)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
