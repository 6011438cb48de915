"""sqlite drop of an indexed column

Revision ID: 858019e894d7
Revises: 01347f5300e5
"""

from alembic import op
import sqlalchemy as sa

revision = "858019e894d7"
down_revision = "01347f5300e5"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_orders_code", "orders", ["code"])
    op.drop_column("orders", "code")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
