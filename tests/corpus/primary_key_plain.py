"""primary key plain

Revision ID: 7288f7c2e80f
Revises: 0c4ab4f0bb9e
"""

from alembic import op
import sqlalchemy as sa

revision = "7288f7c2e80f"
down_revision = "0c4ab4f0bb9e"
branch_labels = None
depends_on = None


def upgrade():
    op.create_primary_key("pk_tags", "tags", ["post_id", "name"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
