"""drop column plain

Revision ID: 80744b70ea06
Revises: fe60f341b9f8
"""

from alembic import op
import sqlalchemy as sa

revision = "80744b70ea06"
down_revision = "fe60f341b9f8"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_column("users", "legacy_password")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
