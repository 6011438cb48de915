"""tables by inspector

Revision ID: 15d7e317c45c
Revises: 7d12f6d28fde
"""

from alembic import op
import sqlalchemy as sa

revision = "15d7e317c45c"
down_revision = "7d12f6d28fde"
branch_labels = None
depends_on = None


def upgrade():
    inspector = sa.inspect(op.get_bind())
    for table in inspector.get_table_names():
        columns = {column["name"] for column in inspector.get_columns(table)}
        if "legacy_id" in columns:
            op.drop_column(table, "legacy_id")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
