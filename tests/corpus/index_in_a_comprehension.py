"""index in a comprehension

Revision ID: 132b7f81740b
Revises: 10f38525d14f
"""

from alembic import op
import sqlalchemy as sa

revision = "132b7f81740b"
down_revision = "10f38525d14f"
branch_labels = None
depends_on = None


def upgrade():
    [op.create_index(f"ix_orders_{name}", "orders", [name]) for name in ("a", "b")]


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
