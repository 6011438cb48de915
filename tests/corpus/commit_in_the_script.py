"""commit in the script

Revision ID: a5fe4e8a2661
Revises: 1d49d44dbd1b
"""

from alembic import op
import sqlalchemy as sa

revision = "a5fe4e8a2661"
down_revision = "1d49d44dbd1b"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("note", sa.Text()))
    op.execute("COMMIT")
    op.add_column("orders", sa.Column("memo", sa.Text()))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
