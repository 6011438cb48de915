"""trigger made

Revision ID: 8e64e321cc79
Revises: 78e28409a1c4
"""

from alembic import op
import sqlalchemy as sa

revision = "8e64e321cc79"
down_revision = "78e28409a1c4"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        CREATE TRIGGER orders_touch BEFORE UPDATE ON orders
        FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
        """
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
