"""constant default

Revision ID: 1f9434e7fa66
Revises: 0426ed914150
"""

from alembic import op
import sqlalchemy as sa

revision = "1f9434e7fa66"
down_revision = "0426ed914150"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("priority", sa.Integer(), server_default="0", nullable=False))


def downgrade():
    op.drop_column("orders", "priority")
