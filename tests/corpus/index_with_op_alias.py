"""index with op alias

Revision ID: 5a897fe2dc0b
Revises: c413dedcf3d5
"""

from alembic import op as o
import sqlalchemy as sa

revision = "5a897fe2dc0b"
down_revision = "c413dedcf3d5"
branch_labels = None
depends_on = None


def upgrade():
    o.create_index("ix_audit_actor", "audit_log", ["actor_id"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
