"""index by full name of op

Revision ID: 58ee54cb1226
Revises: e698d1a01240
"""

import alembic.op
import sqlalchemy as sa

revision = "58ee54cb1226"
down_revision = "e698d1a01240"
branch_labels = None
depends_on = None


def upgrade():
    alembic.op.create_index("ix_orders_placed", "orders", [sa.text("placed_at DESC")])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
