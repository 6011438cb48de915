"""truncate

Revision ID: f283ea9bea0e
Revises: f99c64a00a68
"""

from alembic import op
import sqlalchemy as sa

revision = "f283ea9bea0e"
down_revision = "f99c64a00a68"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("TRUNCATE TABLE page_views, page_hits RESTART IDENTITY CASCADE")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
