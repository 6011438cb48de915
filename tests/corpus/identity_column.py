"""identity column

Revision ID: 3ab7e8f93c73
Revises: 98964e92e76d
"""

from alembic import op
import sqlalchemy as sa

revision = "3ab7e8f93c73"
down_revision = "98964e92e76d"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
