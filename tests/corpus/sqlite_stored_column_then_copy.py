"""sqlite stored column then copy

Revision ID: 4225e3bbc3fd
Revises: 69a9467b8df4
"""

from alembic import op
import sqlalchemy as sa

revision = "4225e3bbc3fd"
down_revision = "69a9467b8df4"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("gross", sa.Integer(), sa.Computed("net + tax", persisted=True)))
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("net", existing_type=sa.Integer(), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
