"""rename column

Revision ID: 325ef15f6068
Revises: 690ec6e020e4
"""

from alembic import op
import sqlalchemy as sa

revision = "325ef15f6068"
down_revision = "690ec6e020e4"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("users", "mail", new_column_name="email")


def downgrade():
    op.alter_column("users", "email", new_column_name="mail")
