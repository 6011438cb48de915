"""set not null

Revision ID: b725aeae7972
Revises: 23e503fd7885
"""

from alembic import op
import sqlalchemy as sa

revision = "b725aeae7972"
down_revision = "23e503fd7885"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("orders", "customer_id", existing_type=sa.Integer(), nullable=False)


def downgrade():
    op.alter_column("orders", "customer_id", existing_type=sa.Integer(), nullable=True)
