"""sqlite drop constraint after early return

Revision ID: dc3ee2b572dc
Revises: f3b5f8e8a7cb
"""

from alembic import op
import sqlalchemy as sa

revision = "dc3ee2b572dc"
down_revision = "f3b5f8e8a7cb"
branch_labels = None
depends_on = None


def upgrade():
    dialect = op.get_bind().dialect.name
    if dialect == "mysql":
        return
    op.drop_constraint("ck_orders_total", "orders", type_="check")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
