"""lock timeout

Revision ID: 16a353b46a6e
Revises: 8671ba33eff6
"""

from alembic import op
import sqlalchemy as sa

revision = "16a353b46a6e"
down_revision = "8671ba33eff6"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("SET LOCAL lock_timeout = '200ms'")
    op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("orders", "note")
