"""validate check in the same transaction

Revision ID: f339f74b1178
Revises: 3c9386e67501
"""

from alembic import op
import sqlalchemy as sa

revision = "f339f74b1178"
down_revision = "3c9386e67501"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD CONSTRAINT ck_total CHECK (total IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck_total")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
