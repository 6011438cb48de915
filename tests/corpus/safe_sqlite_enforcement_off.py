"""sqlite enforcement off

Revision ID: d172a88bf531
Revises: 1ab543caea4c
"""

from alembic import op
import sqlalchemy as sa

revision = "d172a88bf531"
down_revision = "1ab543caea4c"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("PRAGMA foreign_keys=OFF")
    with op.batch_alter_table("customers") as batch_op:
        batch_op.create_check_constraint("ck_name", "name <> ''")
    op.execute("PRAGMA foreign_keys=ON")


def downgrade():
    op.execute("PRAGMA foreign_keys=OFF")
    with op.batch_alter_table("customers") as batch_op:
        batch_op.drop_constraint("ck_name", type_="check")
    op.execute("PRAGMA foreign_keys=ON")
