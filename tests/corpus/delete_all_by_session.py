"""delete all by session

Revision ID: 02e297f60de0
Revises: 9d50052e78e6
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.orm import Session, declarative_base

revision = "02e297f60de0"
down_revision = "9d50052e78e6"
branch_labels = None
depends_on = None

Base = declarative_base()


class Token(Base):
    __tablename__ = "tokens"
    id = sa.Column(sa.Integer, primary_key=True)


def upgrade():
    session = Session(bind=op.get_bind())
    session.query(Token).delete()


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
