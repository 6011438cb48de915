"""serial as sql

Revision ID: 611e93c4c6cc
Revises: 645330e72da4
"""

from alembic import op
import sqlalchemy as sa

revision = "611e93c4c6cc"
down_revision = "645330e72da4"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("""ALTER TABLE orders
        ADD COLUMN seq BIGSERIAL""")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
