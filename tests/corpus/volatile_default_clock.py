"""volatile default clock

Revision ID: 31732b6466ae
Revises: 366129189b96
"""

from alembic import op
import sqlalchemy as sa

revision = "31732b6466ae"
down_revision = "366129189b96"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("events", sa.Column("seen", sa.DateTime(), server_default=sa.func.clock_timestamp()))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
