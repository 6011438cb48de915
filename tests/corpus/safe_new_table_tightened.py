"""new table tightened

Revision ID: af76ad4d81a0
Revises: 8d01aa8164b8
"""

from alembic import op
import sqlalchemy as sa

revision = "af76ad4d81a0"
down_revision = "8d01aa8164b8"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("shifts", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("crew", sa.String(20)))
    op.alter_column("shifts", "crew", existing_type=sa.String(20), nullable=False)
    op.create_unique_constraint("uq_shifts_crew", "shifts", ["crew"])
    op.create_check_constraint("ck_crew", "shifts", "crew <> ''")
    op.add_column("shifts", sa.Column("token", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False))


def downgrade():
    op.drop_table("shifts")
