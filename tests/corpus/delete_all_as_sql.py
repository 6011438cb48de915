"""delete all as sql

Revision ID: 044f28a72fe4
Revises: c8a0a5436b31
"""

from alembic import op
import sqlalchemy as sa

revision = "044f28a72fe4"
down_revision = "c8a0a5436b31"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DELETE FROM task_reschedule")
    op.execute("DELETE FROM task_fail")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
