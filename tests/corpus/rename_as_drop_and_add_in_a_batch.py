"""rename as drop and add in a batch

Revision ID: 1b038c92a09b
Revises: 4ee99c07d210
"""

from alembic import op
import sqlalchemy as sa

revision = "1b038c92a09b"
down_revision = "4ee99c07d210"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.add_column(sa.Column("price_cents", sa.Integer(), nullable=True))
        batch_op.drop_column("price_cent")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
