"""not null plain

Revision ID: c633b5c2bf68
Revises: 135b6bb19267
"""

from alembic import op
import sqlalchemy as sa

revision = "c633b5c2bf68"
down_revision = "135b6bb19267"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("accounts", sa.Column("plan", sa.String(length=20), nullable=False))


def downgrade():
    op.drop_column("accounts", "plan")
