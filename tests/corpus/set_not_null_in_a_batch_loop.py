"""set not null in a batch loop

Revision ID: 1ea04b50b99e
Revises: c2287a4c2299
"""

from alembic import op
import sqlalchemy as sa

revision = "1ea04b50b99e"
down_revision = "c2287a4c2299"
branch_labels = None
depends_on = None

COLUMNS = {"runs": ["state", "owner"], "tasks": ["queue"]}


def upgrade():
    for table, columns in COLUMNS.items():
        with op.batch_alter_table(table) as batch_op:
            for column in columns:
                batch_op.alter_column(column, existing_type=sa.String(50), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
