"""sqlite alter as sql

Revision ID: 2e1f4a05b83b
Revises: 0542b5579434
"""

from alembic import op
import sqlalchemy as sa

revision = "2e1f4a05b83b"
down_revision = "0542b5579434"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ALTER COLUMN total TYPE BIGINT")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
