"""vacuum full

Revision ID: e751e17947b9
Revises: 5fbdd9a04553
"""

from alembic import op
import sqlalchemy as sa

revision = "e751e17947b9"
down_revision = "5fbdd9a04553"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("VACUUM FULL ANALYZE orders")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
