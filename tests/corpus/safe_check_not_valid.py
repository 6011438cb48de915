"""check not valid

Revision ID: a1acdef0cf40
Revises: 5bf693de3996
"""

from alembic import op
import sqlalchemy as sa

revision = "a1acdef0cf40"
down_revision = "5bf693de3996"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE orders ADD CONSTRAINT ck_total CHECK (total >= 0) NOT VALID")


def downgrade():
    op.drop_constraint("ck_total", "orders", type_="check")
