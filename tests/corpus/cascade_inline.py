"""cascade inline

Revision ID: 733ceef5c781
Revises: cbfd75e0c690
"""

from alembic import op
import sqlalchemy as sa

revision = "733ceef5c781"
down_revision = "cbfd75e0c690"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("items", sa.Column("order_id", sa.Integer(), sa.ForeignKey("orders.id", ondelete="CASCADE")))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
