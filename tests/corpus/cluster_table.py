"""cluster table

Revision ID: 2141f5aa220b
Revises: d7343f0e7316
"""

from alembic import op
import sqlalchemy as sa

revision = "2141f5aa220b"
down_revision = "d7343f0e7316"
branch_labels = None
depends_on = None


def upgrade():
    op.get_bind().exec_driver_sql("CLUSTER orders USING ix_orders_created")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
