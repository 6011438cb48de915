"""sqlite column with key outside batch

Revision ID: 8eb220f42808
Revises: 3249677e5899
"""

from alembic import op
import sqlalchemy as sa

revision = "8eb220f42808"
down_revision = "3249677e5899"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("shop_id", sa.Integer(), sa.ForeignKey("shops.id", name="fk_shop"), nullable=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
