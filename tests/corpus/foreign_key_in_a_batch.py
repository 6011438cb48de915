"""foreign key in a batch

Revision ID: 425e8357395e
Revises: 07965f33414f
"""

from alembic import op
import sqlalchemy as sa

revision = "425e8357395e"
down_revision = "07965f33414f"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("task_instance", schema=None) as batch_op:
        batch_op.create_foreign_key("ti_dag_run_fkey", "dag_run", ["dag_id", "run_id"], ["dag_id", "run_id"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
