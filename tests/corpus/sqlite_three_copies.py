"""sqlite three copies

Revision ID: f21e3050beea
Revises: 1100c54b8689
"""

from alembic import op
import sqlalchemy as sa

revision = "f21e3050beea"
down_revision = "1100c54b8689"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("total", existing_type=sa.Integer(), nullable=False)
    with op.batch_alter_table("orders") as batch_op:
        batch_op.create_unique_constraint("uq_number", ["number"])
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_constraint("ck_total", type_="check")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
