"""varchar widened

Revision ID: e18902f3f7e6
Revises: 8b93901cf0ef
"""

from alembic import op
import sqlalchemy as sa

revision = "e18902f3f7e6"
down_revision = "8b93901cf0ef"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("users", "name", existing_type=sa.String(50), type_=sa.String(100), existing_nullable=False)


def downgrade():
    op.alter_column("users", "name", existing_type=sa.String(100), type_=sa.String(50), existing_nullable=False)
