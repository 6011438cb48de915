"""drop schema

Revision ID: d362806d06fb
Revises: 97f98c751e1f
"""

from alembic import op
import sqlalchemy as sa

revision = "d362806d06fb"
down_revision = "97f98c751e1f"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DROP SCHEMA reporting CASCADE")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
