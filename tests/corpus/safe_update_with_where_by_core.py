"""update with where by core

Revision ID: cec2e076aa50
Revises: 248c473dd342
"""

from alembic import op
import sqlalchemy as sa

revision = "cec2e076aa50"
down_revision = "248c473dd342"
branch_labels = None
depends_on = None

settings = sa.table("settings", sa.column("key", sa.String), sa.column("value", sa.String))


def upgrade():
    op.execute(settings.update().where(settings.c.key == "theme").values(value="dark"))


def downgrade():
    op.execute(settings.update().where(settings.c.key == "theme").values(value="light"))
