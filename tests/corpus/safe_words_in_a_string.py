"""words in a string

Revision ID: 3e52eb9472ce
Revises: 8a820a155406
"""

from alembic import op
import sqlalchemy as sa

revision = "3e52eb9472ce"
down_revision = "8a820a155406"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("INSERT INTO help (topic, body) VALUES ('sql', 'DROP TABLE users; DELETE FROM users; VACUUM FULL')")


def downgrade():
    op.execute("DELETE FROM help WHERE topic = 'sql'")
