"""constant defaults in a loop

Revision ID: 31c8bee705aa
Revises: caa4134e6b55
"""

from alembic import op
import sqlalchemy as sa

revision = "31c8bee705aa"
down_revision = "caa4134e6b55"
branch_labels = None
depends_on = None

COUNTERS = {"retries": "0", "failures": "0", "weight": "1"}


def upgrade():
    for name, default in COUNTERS.items():
        op.add_column("jobs", sa.Column(name, sa.Integer(), server_default=sa.text(default), nullable=False))


def downgrade():
    for name in COUNTERS:
        op.drop_column("jobs", name)
