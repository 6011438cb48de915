"""not null in a batch

Revision ID: 99b6a62df507
Revises: 62dacadf0c58
"""

from alembic import op
import sqlalchemy as sa

revision = "99b6a62df507"
down_revision = "62dacadf0c58"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("dag_run") as batch_op:
        batch_op.add_column(sa.Column("run_after", sa.DateTime(timezone=True), nullable=False))
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
