"""unique inline

Revision ID: ed797a74fa86
Revises: 2c1d40749959
"""

from alembic import op
import sqlalchemy as sa

revision = "ed797a74fa86"
down_revision = "2c1d40749959"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("users", sa.Column("handle", sa.String(30), nullable=True, unique=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
