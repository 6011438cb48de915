"""sqlite text to boolean in a loop

Revision ID: 769d15151647
Revises: b91967ba0d4c
"""

from alembic import op
import sqlalchemy as sa

revision = "769d15151647"
down_revision = "b91967ba0d4c"
branch_labels = None
depends_on = None

FLAGS = ("is_open", "is_paid")


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        for flag in FLAGS:
            batch_op.alter_column(flag, existing_type=sa.VARCHAR(length=5), type_=sa.Boolean())


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
