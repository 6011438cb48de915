"""nullable column

Revision ID: 219b60e02da9
Revises: e0cf0bd18781
"""

from alembic import op
import sqlalchemy as sa

revision = "219b60e02da9"
down_revision = "e0cf0bd18781"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("orders", "note")
