"""set not null as sql

Revision ID: 511ddcf180d2
Revises: ad75b06d0ead
"""

from alembic import op
import sqlalchemy as sa

revision = "511ddcf180d2"
down_revision = "ad75b06d0ead"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE ONLY orders ALTER COLUMN customer_id SET NOT NULL")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
