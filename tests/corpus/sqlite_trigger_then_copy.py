"""sqlite trigger then copy

Revision ID: 5257e0e08b22
Revises: c658997eebf5
"""

from alembic import op
import sqlalchemy as sa

revision = "5257e0e08b22"
down_revision = "c658997eebf5"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE TRIGGER orders_seen AFTER UPDATE ON orders BEGIN SELECT 1; END")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("net", existing_type=sa.Integer(), server_default="0")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
