"""backfill by core after ddl

Revision ID: ceb36a46ea7b
Revises: 5b7247ad2df7
"""

from alembic import op
import sqlalchemy as sa

revision = "ceb36a46ea7b"
down_revision = "5b7247ad2df7"
branch_labels = None
depends_on = None

orders = sa.table("orders", sa.column("total_cents"), sa.column("total"))


def upgrade():
    op.add_column("orders", sa.Column("total_cents", sa.BigInteger(), nullable=True))
    op.get_bind().execute(orders.update().values(total_cents=orders.c.total * 100))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
