"""volatile default by helper

Revision ID: 9b9ce6828e56
Revises: 8af624d8bdf8
"""

from alembic import op
import sqlalchemy as sa

revision = "9b9ce6828e56"
down_revision = "8af624d8bdf8"
branch_labels = None
depends_on = None


def _uuid(name):
    return sa.Column(name, sa.UUID(), server_default=sa.text("uuid_generate_v4()"))


def add_key(table):
    column = sa.Column("key", sa.UUID(), server_default=sa.text("uuid_generate_v4()"), nullable=False)
    op.add_column(table, column)


def upgrade():
    add_key("orders")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
