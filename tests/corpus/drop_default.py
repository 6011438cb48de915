"""drop default

Revision ID: bc523e8111b4
Revises: b4d3b7fefd7a
"""

from alembic import op
import sqlalchemy as sa

revision = "bc523e8111b4"
down_revision = "b4d3b7fefd7a"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("users", "state", existing_type=sa.String(20), server_default=None)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
