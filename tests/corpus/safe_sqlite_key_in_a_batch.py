"""sqlite key in a batch

Revision ID: e7bc56841bd1
Revises: beaad308ddf5
"""

from alembic import op
import sqlalchemy as sa

revision = "e7bc56841bd1"
down_revision = "beaad308ddf5"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("shop_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key("fk_shop", "shops", ["shop_id"], ["id"])


def downgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_constraint("fk_shop", type_="foreignkey")
        batch_op.drop_column("shop_id")
