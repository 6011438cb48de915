"""type narrowed

Revision ID: c0cbc8810418
Revises: 52dea6bcf03e
"""

from alembic import op
import sqlalchemy as sa

revision = "c0cbc8810418"
down_revision = "52dea6bcf03e"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(120), type_=sa.String(100))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
