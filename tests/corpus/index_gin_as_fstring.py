"""index gin as fstring

Revision ID: 506518f09d88
Revises: 369f34a44b2f
"""

from alembic import op
import sqlalchemy as sa

revision = "506518f09d88"
down_revision = "369f34a44b2f"
branch_labels = None
depends_on = None

TABLE = "documents"
COLUMN = "body_tsv"


def upgrade():
    op.execute(f"CREATE INDEX ix_{TABLE}_{COLUMN} ON {TABLE} USING gin ({COLUMN})")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
