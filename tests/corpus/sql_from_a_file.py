"""sql from a file

Revision ID: c5682e952875
Revises: cc16afe95b31
"""

from pathlib import Path

from alembic import op

revision = "c5682e952875"
down_revision = "cc16afe95b31"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
