"""drop tables in a loop

Revision ID: 7fc27d8a2804
Revises: 89ab07aea667
"""

from alembic import op
import sqlalchemy as sa

revision = "7fc27d8a2804"
down_revision = "89ab07aea667"
branch_labels = None
depends_on = None


def upgrade():
    for table in ("legacy_a", "legacy_b"):
        op.execute(f"DROP TABLE {table}")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
