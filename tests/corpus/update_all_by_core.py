"""update all by core

Revision ID: 14b520fb6f8a
Revises: 2f3793b3481e
"""

from alembic import op
import sqlalchemy as sa

revision = "14b520fb6f8a"
down_revision = "2f3793b3481e"
branch_labels = None
depends_on = None


def upgrade():
    users = sa.table("users", sa.column("state", sa.String))
    op.execute(users.update().values(state="unknown"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
