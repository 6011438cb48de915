"""words in a comment

Revision ID: b24c13496a79
Revises: 8f63463cd5aa
"""

from alembic import op
import sqlalchemy as sa

revision = "b24c13496a79"
down_revision = "8f63463cd5aa"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        -- DELETE FROM orders; was considered, ALTER TABLE orders DROP COLUMN note too
        /* TRUNCATE orders; */
        ALTER TABLE orders ADD COLUMN archived_at timestamp
        """
    )


def downgrade():
    op.drop_column("orders", "archived_at")
