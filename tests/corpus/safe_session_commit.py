"""session commit

Revision ID: ce605c2a3367
Revises: d085f93ea58a
"""

from alembic import op
from sqlalchemy import orm, text

revision = "ce605c2a3367"
down_revision = "d085f93ea58a"
branch_labels = None
depends_on = None


def upgrade():
    session = orm.Session(bind=op.get_bind())
    session.execute(text("UPDATE users SET state = 'new' WHERE state IS NULL"))
    session.commit()


def downgrade():
    op.execute("UPDATE users SET state = NULL WHERE state = 'new'")
