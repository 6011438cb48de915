"""sqlite foreign keys back on too early

Revision ID: 0dfb06d1ef0d
Revises: 5210ac473f06
"""

from alembic import op
import sqlalchemy as sa

revision = "0dfb06d1ef0d"
down_revision = "5210ac473f06"
branch_labels = None
depends_on = None


def upgrade():
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA foreign_keys = OFF")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_constraint("ck_total", type_="check")
    bind.exec_driver_sql("PRAGMA foreign_keys = ON")
    with op.batch_alter_table("customers", recreate="always") as batch_op:
        batch_op.add_column(sa.Column("age", sa.Integer(), nullable=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
