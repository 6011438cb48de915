"""volatile default as sql

Revision ID: 6c22e73ec333
Revises: 7da8febac0b3
"""

from alembic import op
import sqlalchemy as sa

revision = "6c22e73ec333"
down_revision = "7da8febac0b3"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD COLUMN shuffle double precision DEFAULT random()")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
