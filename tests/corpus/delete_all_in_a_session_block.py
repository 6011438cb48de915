"""delete all in a session block

Revision ID: 27c6143b0580
Revises: db686ccad21d
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.orm import Session

revision = "27c6143b0580"
down_revision = "db686ccad21d"
branch_labels = None
depends_on = None

tokens = sa.table("tokens", sa.column("id"))


def upgrade():
    with Session(bind=op.get_bind()) as session:
        session.execute(sa.delete(tokens))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
