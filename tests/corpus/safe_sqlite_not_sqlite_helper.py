"""sqlite not sqlite helper

Revision ID: 4992ad91c59c
Revises: 064b4d578888
"""

from alembic import op
import sqlalchemy as sa

revision = "4992ad91c59c"
down_revision = "064b4d578888"
branch_labels = None
depends_on = None


def _is_sqlite():
    return op.get_bind().dialect.name == "sqlite"


def upgrade():
    op.add_column("orders", sa.Column("shop_id", sa.Integer(), nullable=True))
    if not _is_sqlite():
        op.create_foreign_key("fk_shop", "orders", "shops", ["shop_id"], ["id"])


def downgrade():
    op.drop_column("orders", "shop_id")
