"""concurrently after the block

Revision ID: 4af83d528f85
Revises: 4d0c79dd7316
"""

from alembic import op
import sqlalchemy as sa

revision = "4af83d528f85"
down_revision = "4d0c79dd7316"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
    op.create_index("ix_visits_day", "visits", ["day"], postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
