"""sqlite default now in a batch

Revision ID: 4f7758e99a2d
Revises: d38f75220598
"""

from alembic import op
import sqlalchemy as sa

revision = "4f7758e99a2d"
down_revision = "d38f75220598"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("created_at", sa.DateTime(), server_default=sa.func.now(), nullable=False))


def downgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_column("created_at")
