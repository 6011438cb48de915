"""sqlite unnamed key in a batch

Revision ID: 762a085e1a37
Revises: aadd14a1daa3
"""

from alembic import op
import sqlalchemy as sa

revision = "762a085e1a37"
down_revision = "aadd14a1daa3"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shop_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(None, "shops", ["shop_id"], ["id"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
