"""delete in a with query

Revision ID: 2ba287a11974
Revises: 784557418734
"""

from alembic import op
import sqlalchemy as sa

revision = "2ba287a11974"
down_revision = "784557418734"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        WITH gone AS (DELETE FROM outbox RETURNING *)
        INSERT INTO outbox_archive SELECT * FROM gone
        """
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
