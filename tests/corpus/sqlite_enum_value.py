"""sqlite enum value

Revision ID: 49562f049339
Revises: 618506b6d793
"""

from alembic import op
import sqlalchemy as sa

revision = "49562f049339"
down_revision = "618506b6d793"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TYPE order_status ADD VALUE 'refunded'")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
