"""session commit

Revision ID: 477b176d0942
Revises: 98153b7f8fda
"""

from alembic import op
from sqlalchemy import orm, text

revision = "477b176d0942"
down_revision = "98153b7f8fda"
branch_labels = None
depends_on = None


def upgrade():
    session = orm.Session(bind=op.get_bind())
    session.execute(text("UPDATE users SET state = 'new' WHERE state IS NULL"))
    session.commit()


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
