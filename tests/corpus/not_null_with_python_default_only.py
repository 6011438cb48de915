"""not null with python default only

Revision ID: 8cb5a3cc328a
Revises: 19e3c22265a5
"""

from alembic import op
import sqlalchemy as sa

revision = "8cb5a3cc328a"
down_revision = "19e3c22265a5"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("users", sa.Column("is_active", sa.Boolean(), default=True, nullable=False))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
