"""sqlite add column if not exists

Revision ID: 389a168791f1
Revises: 0e6cad7a5e5b
"""

from alembic import op
import sqlalchemy as sa

revision = "389a168791f1"
down_revision = "0e6cad7a5e5b"
branch_labels = None
depends_on = None


def upgrade():
    for column in ("note", "memo"):
        op.execute(f"ALTER TABLE orders ADD COLUMN IF NOT EXISTS {column} TEXT")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
