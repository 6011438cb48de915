"""grants

Revision ID: db9aee4838f2
Revises: d0429414c65a
"""

from alembic import op
import sqlalchemy as sa

revision = "db9aee4838f2"
down_revision = "d0429414c65a"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("GRANT SELECT ON orders TO reporting")


def downgrade():
    op.execute("REVOKE SELECT ON orders FROM reporting")
