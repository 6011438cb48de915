"""drop table in a try

Revision ID: 9baaf6459af3
Revises: 0525b5666c6c
"""

from alembic import op
import sqlalchemy as sa

revision = "9baaf6459af3"
down_revision = "0525b5666c6c"
branch_labels = None
depends_on = None


def upgrade():
    try:
        op.drop_table("old_cache")
    except Exception:
        print("there was none")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
