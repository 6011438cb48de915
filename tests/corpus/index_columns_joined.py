"""index columns joined

Revision ID: bdd93bd5e265
Revises: e5b90cd3d646
"""

from alembic import op
import sqlalchemy as sa

revision = "bdd93bd5e265"
down_revision = "e5b90cd3d646"
branch_labels = None
depends_on = None

COLUMNS = ["tenant_id", "created_at"]


def upgrade():
    op.execute(f"CREATE INDEX ix_events_feed ON events ({', '.join(COLUMNS)})")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
