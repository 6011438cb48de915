"""foreign key inline

Revision ID: d0c01030855e
Revises: bd0c8d2fab2c
"""

from alembic import op
import sqlalchemy as sa

revision = "d0c01030855e"
down_revision = "bd0c8d2fab2c"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("shop_id", sa.Integer(), sa.ForeignKey("shops.id"), nullable=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
