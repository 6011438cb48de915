"""drop columns in a batch loop

Revision ID: 0c5a719a8cd1
Revises: 988140fc5a21
"""

from alembic import op
import sqlalchemy as sa

revision = "0c5a719a8cd1"
down_revision = "988140fc5a21"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("users") as batch:
        for name in ["fax", "pager"]:
            batch.drop_column(name)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
