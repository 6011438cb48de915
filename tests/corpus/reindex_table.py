"""reindex table

Revision ID: 27dbd48aea47
Revises: 8ebcdd2ac723
"""

from alembic import op
import sqlalchemy as sa

revision = "27dbd48aea47"
down_revision = "8ebcdd2ac723"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("REINDEX TABLE orders")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
