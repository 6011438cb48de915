"""exclusion by op

Revision ID: 6ab53d60af4d
Revises: 06ed255e71d2
"""

from alembic import op
import sqlalchemy as sa

revision = "6ab53d60af4d"
down_revision = "06ed255e71d2"
branch_labels = None
depends_on = None


def upgrade():
    op.create_exclude_constraint("no_overlap", "stays", ("room", "="), ("during", "&&"), using="gist")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
