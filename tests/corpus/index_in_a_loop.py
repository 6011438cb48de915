"""index in a loop

Revision ID: 772d4b63a5ba
Revises: e0d84371e27c
"""

from alembic import op
import sqlalchemy as sa

revision = "772d4b63a5ba"
down_revision = "e0d84371e27c"
branch_labels = None
depends_on = None

INDEXES = [
    ("ix_runs_state", ["state"]),
    ("ix_runs_started", ["started_at"]),
    ("ix_runs_owner_state", ["owner_id", "state"]),
]


def upgrade():
    for name, columns in INDEXES:
        op.create_index(name, "runs", columns, unique=False)


def downgrade():
    for name, _ in reversed(INDEXES):
        op.drop_index(name, table_name="runs")
