"""rows by lambda of getattr

Revision ID: 76317d2f293e
Revises: 14a7a3608af9
"""

from alembic import op
import sqlalchemy as sa

revision = "76317d2f293e"
down_revision = "14a7a3608af9"
branch_labels = None
depends_on = None


def upgrade():
    for name in ("add_column", "drop_column"):
        step = getattr(op, name)
        step("orders", sa.Column("x", sa.Integer(), nullable=False) if name == "add_column" else "y")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
