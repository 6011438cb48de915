"""index by local helper

Revision ID: 719a38712dc7
Revises: 8098b3e84238
"""

from alembic import op
import sqlalchemy as sa

revision = "719a38712dc7"
down_revision = "8098b3e84238"
branch_labels = None
depends_on = None


def _add_index(table, *columns):
    op.create_index(op.f("ix_" + table), table, list(columns))


def upgrade():
    _add_index("events", "kind", "created_at")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
