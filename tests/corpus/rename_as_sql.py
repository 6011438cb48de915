"""rename as sql

Revision ID: cec85c50f83c
Revises: cd9c4f0c6d65
"""

from alembic import op
import sqlalchemy as sa

revision = "cec85c50f83c"
down_revision = "cd9c4f0c6d65"
branch_labels = None
depends_on = None


def upgrade():
    op.execute('ALTER TABLE "user" RENAME COLUMN mail TO email')


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
