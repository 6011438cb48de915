"""rename table

Revision ID: 528ac43750ad
Revises: 75b4d894d80f
"""

from alembic import op
import sqlalchemy as sa

revision = "528ac43750ad"
down_revision = "75b4d894d80f"
branch_labels = None
depends_on = None


def upgrade():
    op.rename_table("user", "users")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
