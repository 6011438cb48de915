"""not null in a loop of tables

Revision ID: ce1047cb67b9
Revises: 5989bfa1bc1f
"""

from alembic import op
import sqlalchemy as sa

revision = "ce1047cb67b9"
down_revision = "5989bfa1bc1f"
branch_labels = None
depends_on = None

TABLES = ("runs", "tasks", "events")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("tenant_id", sa.Integer(), nullable=False))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
