"""constraints of new table

Revision ID: 4359263ee656
Revises: 0dbcffb3e7fe
"""

from alembic import op
import sqlalchemy as sa

revision = "4359263ee656"
down_revision = "0dbcffb3e7fe"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("group_id > 0", name="ck_group"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group"),
        sa.UniqueConstraint("user_id", "group_id", name="uq_membership"),
        sa.PrimaryKeyConstraint("user_id", "group_id"),
    )


def downgrade():
    op.drop_table("memberships")
