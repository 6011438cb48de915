"""default now

Revision ID: 9c2fb5f46e56
Revises: a855734b514c
"""

from alembic import op
import sqlalchemy as sa

revision = "9c2fb5f46e56"
down_revision = "a855734b514c"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False))


def downgrade():
    op.drop_column("orders", "seen_at")
