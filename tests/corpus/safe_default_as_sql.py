"""default as sql

Revision ID: 0b2fbee30021
Revises: a98f47033b2f
"""

from alembic import op
import sqlalchemy as sa

revision = "0b2fbee30021"
down_revision = "a98f47033b2f"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN IF NOT EXISTS flags jsonb NOT NULL DEFAULT '{}'::jsonb")


def downgrade():
    op.execute("ALTER TABLE orders DROP COLUMN flags")
