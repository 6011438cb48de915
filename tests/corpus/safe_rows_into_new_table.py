"""rows into new table

Revision ID: 3bed8a5d3339
Revises: e858beaefb0f
"""

from alembic import op
import sqlalchemy as sa

revision = "3bed8a5d3339"
down_revision = "e858beaefb0f"
branch_labels = None
depends_on = None


def upgrade():
    plans = op.create_table(
        "plans", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("name", sa.String(20), nullable=False)
    )
    op.bulk_insert(plans, [{"id": 1, "name": "free"}, {"id": 2, "name": "team"}])


def downgrade():
    op.drop_table("plans")
