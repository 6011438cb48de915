"""rename enum value

Revision ID: 045ac9f9bd00
Revises: e0e41fdb9da6
"""

from alembic import op
import sqlalchemy as sa

revision = "045ac9f9bd00"
down_revision = "e0e41fdb9da6"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TYPE order_status RENAME VALUE 'canceled' TO 'cancelled'")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
