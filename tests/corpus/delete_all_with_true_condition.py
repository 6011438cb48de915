"""delete all with true condition

Revision ID: 735cafb05df0
Revises: 24308c01a9d2
"""

from alembic import op
import sqlalchemy as sa

revision = "735cafb05df0"
down_revision = "24308c01a9d2"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DELETE FROM sessions WHERE 1 = 1")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
