"""volatile default uuid

Revision ID: b2bd582ddc83
Revises: 61bf600439c0
"""

from alembic import op
import sqlalchemy as sa

revision = "b2bd582ddc83"
down_revision = "61bf600439c0"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "orders",
        sa.Column("public_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
