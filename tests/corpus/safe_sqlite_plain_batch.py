"""sqlite plain batch

Revision ID: 82703238d15a
Revises: fa99c107dc62
"""

from alembic import op
import sqlalchemy as sa

revision = "82703238d15a"
down_revision = "fa99c107dc62"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("PRAGMA foreign_keys=ON")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=True))
        batch_op.create_index("ix_orders_note", ["note"])


def downgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_index("ix_orders_note")
        batch_op.drop_column("note")
