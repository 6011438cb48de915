"""stored generated column

Revision ID: 371347868d1d
Revises: c197d9eb56ae
"""

from alembic import op
import sqlalchemy as sa

revision = "371347868d1d"
down_revision = "c197d9eb56ae"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("people", sa.Column("full_name", sa.Text(), sa.Computed("first || ' ' || last", persisted=True)))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
