"""sqlite copy of a table with a view

Revision ID: 14099df9ea49
Revises: beffce44a86f
"""

from alembic import op
import sqlalchemy as sa

revision = "14099df9ea49"
down_revision = "beffce44a86f"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE paid_at IS NULL")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("total", existing_type=sa.Integer(), nullable=False, existing_nullable=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
