"""drop table as sql by bind

Revision ID: 4fbceade4306
Revises: c829a32db120
"""

from alembic import op
import sqlalchemy as sa

revision = "4fbceade4306"
down_revision = "c829a32db120"
branch_labels = None
depends_on = None


def upgrade():
    bind = op.get_bind()
    bind.execute(sa.text("DROP TABLE IF EXISTS legacy_events"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
