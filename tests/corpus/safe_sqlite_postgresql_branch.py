"""sqlite postgresql branch

Revision ID: 4f04abdb6f32
Revises: 84cc70d505d0
"""

from alembic import op
import sqlalchemy as sa

revision = "4f04abdb6f32"
down_revision = "84cc70d505d0"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("shop_id", sa.Integer(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key("fk_shop", "orders", "shops", ["shop_id"], ["id"])
        op.alter_column("orders", "total", existing_type=sa.Integer(), nullable=False)


def downgrade():
    op.drop_column("orders", "shop_id")
