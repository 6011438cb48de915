"""app import

Revision ID: e9a635bdb95c
Revises: 873db540e27c
"""

from alembic import op
import sqlalchemy as sa

from shop.models import Order

revision = "e9a635bdb95c"
down_revision = "873db540e27c"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(Order.__tablename__, sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column(Order.__tablename__, "note")
