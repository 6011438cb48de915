"""mysql branch

Revision ID: 0d27fcee9d52
Revises: 03217454ef1c
"""

from alembic import op
import sqlalchemy as sa

revision = "0d27fcee9d52"
down_revision = "03217454ef1c"
branch_labels = None
depends_on = None


def upgrade():
    bind = op.get_bind()
    if bind.dialect.name == "mysql":
        op.alter_column("task_instance", "queue", existing_type=sa.String(50), nullable=False)
        op.create_index("ix_queue", "task_instance", ["queue"])
        op.execute("DELETE FROM task_fail")


def downgrade():
    if op.get_bind().dialect.name == "mysql":
        op.drop_index("ix_queue", table_name="task_instance")
