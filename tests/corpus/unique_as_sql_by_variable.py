"""unique as sql by variable

Revision ID: 7be483a404d4
Revises: 78de78f22b60
"""

from alembic import op
import sqlalchemy as sa

revision = "7be483a404d4"
down_revision = "78de78f22b60"
branch_labels = None
depends_on = None

SQL = "ALTER TABLE users ADD CONSTRAINT uq_users_email UNIQUE (email)"


def upgrade():
    op.execute(SQL)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
