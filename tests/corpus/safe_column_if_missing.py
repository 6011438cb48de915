"""column if missing

Revision ID: a98bbf79faa5
Revises: a881605d8954
"""

from alembic import op
import sqlalchemy as sa

revision = "a98bbf79faa5"
down_revision = "a881605d8954"
branch_labels = None
depends_on = None


def upgrade():
    inspector = sa.inspect(op.get_bind())
    columns = [column["name"] for column in inspector.get_columns("orders")]
    if "note" not in columns:
        op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("orders", "note")
