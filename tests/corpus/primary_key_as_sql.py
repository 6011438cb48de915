"""primary key as sql

Revision ID: c0f1676bfc17
Revises: 6baeefe06f30
"""

from alembic import op
import sqlalchemy as sa

revision = "c0f1676bfc17"
down_revision = "6baeefe06f30"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE tags ADD PRIMARY KEY (post_id, name)")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
