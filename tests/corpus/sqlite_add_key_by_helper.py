"""sqlite add key by helper

Revision ID: b89392fadd2f
Revises: eea2be6a8c8c
"""

from alembic import op
import sqlalchemy as sa

revision = "b89392fadd2f"
down_revision = "eea2be6a8c8c"
branch_labels = None
depends_on = None


def _reference(name, table):
    return sa.Column(name, sa.Integer(), sa.ForeignKey(f"{table}.id", name=f"fk_{name}"), nullable=True)


def upgrade():
    op.add_column("orders", _reference("shop_id", "shops"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
