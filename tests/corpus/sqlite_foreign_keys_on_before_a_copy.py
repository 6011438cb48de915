"""sqlite foreign keys on before a copy

Revision ID: 842e65d46c8a
Revises: 00c9adae9069
"""

from alembic import op
import sqlalchemy as sa

revision = "842e65d46c8a"
down_revision = "00c9adae9069"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("PRAGMA foreign_keys=ON")
    with op.batch_alter_table("customers") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(50), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
