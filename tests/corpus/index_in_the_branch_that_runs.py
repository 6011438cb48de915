"""index in the branch that runs

Revision ID: a69449ba04ab
Revises: e3eadaf8be8c
"""

from alembic import op
import sqlalchemy as sa

revision = "a69449ba04ab"
down_revision = "e3eadaf8be8c"
branch_labels = None
depends_on = None


def upgrade():
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        return
    op.create_index("ix_tasks_queue", "tasks", ["queue", "priority"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
