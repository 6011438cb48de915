"""drop columns named by a comprehension

Revision ID: 064535e67822
Revises: 0be47c8d0839
"""

from alembic import op
import sqlalchemy as sa

revision = "064535e67822"
down_revision = "0be47c8d0839"
branch_labels = None
depends_on = None

LEGACY = [f"legacy_{part}" for part in ("street", "city")]


def upgrade():
    for position, column in enumerate(LEGACY):
        op.drop_column("addresses", column)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
