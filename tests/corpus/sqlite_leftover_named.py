"""sqlite leftover named

Revision ID: bded8ad6ed9f
Revises: 7408f3e701c9
"""

from alembic import op
import sqlalchemy as sa

revision = "bded8ad6ed9f"
down_revision = "7408f3e701c9"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DROP TABLE IF EXISTS _alembic_tmp_orders")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("note", existing_type=sa.Text(), nullable=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
