"""lock table

Revision ID: d3a9e4b32ce2
Revises: 14a33932beef
"""

from alembic import op
import sqlalchemy as sa

revision = "d3a9e4b32ce2"
down_revision = "14a33932beef"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    op.add_column("orders", sa.Column("note", sa.Text()))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
