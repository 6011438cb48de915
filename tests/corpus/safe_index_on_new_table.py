"""index on new table

Revision ID: 2636f10735ea
Revises: 656d8b2aaae4
"""

from alembic import op
import sqlalchemy as sa

revision = "2636f10735ea"
down_revision = "656d8b2aaae4"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "coupons",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("code", sa.String(20), nullable=False),
    )
    op.create_index("ix_coupons_code", "coupons", ["code"], unique=True)


def downgrade():
    op.drop_table("coupons")
