"""drop column as sql

Revision ID: 2b2bbe3a8923
Revises: 4e4c8b76bb2e
"""

from alembic import op
import sqlalchemy as sa

revision = "2b2bbe3a8923"
down_revision = "4e4c8b76bb2e"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE users DROP COLUMN IF EXISTS legacy_password CASCADE")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
