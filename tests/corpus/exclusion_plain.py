"""exclusion plain

Revision ID: 8f7d5a43ab15
Revises: e3b3a51caf6b
"""

from alembic import op
import sqlalchemy as sa

revision = "8f7d5a43ab15"
down_revision = "e3b3a51caf6b"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE stays ADD CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&)")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
