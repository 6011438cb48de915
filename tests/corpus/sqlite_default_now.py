"""sqlite default now

Revision ID: ceaf889a85a2
Revises: 92cc51e776db
"""

from alembic import op
import sqlalchemy as sa

revision = "ceaf889a85a2"
down_revision = "92cc51e776db"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("created_at", sa.DateTime(), server_default=sa.func.now(), nullable=False))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
