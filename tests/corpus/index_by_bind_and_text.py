"""index by bind and text

Revision ID: c2427b7c8729
Revises: 57cffddc2dfe
"""

from alembic import op
import sqlalchemy as sa

revision = "c2427b7c8729"
down_revision = "57cffddc2dfe"
branch_labels = None
depends_on = None


def upgrade():
    connection = op.get_bind()
    connection.execute(sa.text("CREATE UNIQUE INDEX uq_users_email_lower ON users (lower(email))"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
