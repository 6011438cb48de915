"""rename as drop and add

Revision ID: 1ac3e076062c
Revises: 154afaddf747
"""

from alembic import op
import sqlalchemy as sa

revision = "1ac3e076062c"
down_revision = "154afaddf747"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("users", sa.Column("full_name", sa.String(length=100), nullable=True))
    op.drop_column("users", "fullname")


def downgrade():
    op.add_column("users", sa.Column("fullname", sa.String(length=100), nullable=True))
    op.drop_column("users", "full_name")
