"""default set

Revision ID: 32ce8c526c82
Revises: 5dd071bdb9c0
"""

from alembic import op
import sqlalchemy as sa

revision = "32ce8c526c82"
down_revision = "5dd071bdb9c0"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("orders", "status", existing_type=sa.String(20), server_default="new")


def downgrade():
    op.alter_column("orders", "status", existing_type=sa.String(20), server_default="open")
