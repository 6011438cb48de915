"""drop not null default as sql

Revision ID: 4f3fe6647701
Revises: 6d714dd6b34b
"""

from alembic import op
import sqlalchemy as sa

revision = "4f3fe6647701"
down_revision = "6d714dd6b34b"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE users ALTER COLUMN state DROP DEFAULT, DROP CONSTRAINT ck_users_state")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
