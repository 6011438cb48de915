"""scratch table

Revision ID: 09896c8474af
Revises: 41a73d343877
"""

from alembic import op
import sqlalchemy as sa

revision = "09896c8474af"
down_revision = "41a73d343877"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE TEMPORARY TABLE scratch (id integer)")
    op.execute("INSERT INTO scratch SELECT id FROM orders WHERE total < 0")
    op.execute("DELETE FROM scratch")
    op.execute("DROP TABLE scratch")


def downgrade():
    op.execute("SELECT 1")
