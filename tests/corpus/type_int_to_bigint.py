"""type int to bigint

Revision ID: 980560c7145b
Revises: 8227dc7b6fda
"""

from alembic import op
import sqlalchemy as sa

revision = "980560c7145b"
down_revision = "8227dc7b6fda"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("events", "id", existing_type=sa.INTEGER(), type_=sa.BigInteger(), existing_nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
