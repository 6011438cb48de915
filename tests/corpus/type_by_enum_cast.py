"""type by enum cast

Revision ID: ca98837e60d6
Revises: 98ea6ce656e9
"""

from alembic import op
import sqlalchemy as sa

revision = "ca98837e60d6"
down_revision = "98ea6ce656e9"
branch_labels = None
depends_on = None

status = sa.Enum("new", "paid", name="order_status")


def upgrade():
    status.create(op.get_bind(), checkfirst=True)
    op.alter_column(
        "orders", "status", existing_type=sa.String(20), type_=status, postgresql_using="status::order_status"
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
