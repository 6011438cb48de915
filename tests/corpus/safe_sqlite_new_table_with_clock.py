"""sqlite new table with clock

Revision ID: ff6b8287da09
Revises: b9e82c5c27d8
"""

from alembic import op
import sqlalchemy as sa

revision = "ff6b8287da09"
down_revision = "b9e82c5c27d8"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.Column("order_id", sa.Integer(), sa.ForeignKey("orders.id", name="fk_order"), unique=True),
        sqlite_autoincrement=True,
    )


def downgrade():
    op.drop_table("notes")
