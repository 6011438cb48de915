"""drop table plain

Revision ID: 3fe0bf0f4938
Revises: bc243755495f
"""

from alembic import op
import sqlalchemy as sa

revision = "3fe0bf0f4938"
down_revision = "bc243755495f"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_table("legacy_events")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
