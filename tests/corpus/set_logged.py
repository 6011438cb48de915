"""set logged

Revision ID: 12c3a98ec786
Revises: 26b8b3d82a99
"""

from alembic import op
import sqlalchemy as sa

revision = "12c3a98ec786"
down_revision = "26b8b3d82a99"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE import_rows SET LOGGED")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
