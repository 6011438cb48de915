"""drop constraint plain

Revision ID: 448dd31b4346
Revises: fc562ffd4477
"""

from alembic import op
import sqlalchemy as sa

revision = "448dd31b4346"
down_revision = "fc562ffd4477"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_constraint("uq_users_email", "users", type_="unique")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
