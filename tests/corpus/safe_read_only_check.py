"""read only check

Revision ID: 06b5afc46bc8
Revises: 44fde96ada5a
"""

from alembic import op
import sqlalchemy as sa

revision = "06b5afc46bc8"
down_revision = "44fde96ada5a"
branch_labels = None
depends_on = None


def upgrade():
    bind = op.get_bind()
    missing = bind.execute(sa.text("SELECT count(*) FROM orders WHERE customer_id IS NULL")).scalar()
    print("orders without a customer:", missing)
    op.add_column("orders", sa.Column("checked", sa.Boolean(), nullable=True))


def downgrade():
    op.drop_column("orders", "checked")
