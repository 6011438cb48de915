"""drop index as sql list

Revision ID: a2d0bb6f3d72
Revises: e9abee21a08c
"""

from alembic import op
import sqlalchemy as sa

revision = "a2d0bb6f3d72"
down_revision = "e9abee21a08c"
branch_labels = None
depends_on = None


def upgrade():
    for name in ("ix_a", "ix_b"):
        op.execute("DROP INDEX IF EXISTS " + name)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
