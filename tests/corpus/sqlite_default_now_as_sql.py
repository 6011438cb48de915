"""sqlite default now as sql

Revision ID: e3e030266144
Revises: 814052205248
"""

from alembic import op
import sqlalchemy as sa

revision = "e3e030266144"
down_revision = "814052205248"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
