"""numeric widened

Revision ID: e1c5093c3512
Revises: 4b6e1fc25c0f
"""

from alembic import op
import sqlalchemy as sa

revision = "e1c5093c3512"
down_revision = "4b6e1fc25c0f"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("orders", "total", existing_type=sa.Numeric(12, 2), type_=sa.Numeric(14, 2))


def downgrade():
    op.alter_column("orders", "total", existing_type=sa.Numeric(14, 2), type_=sa.Numeric(12, 2))
