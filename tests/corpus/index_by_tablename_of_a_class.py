"""index by tablename of a class

Revision ID: 9fca87f9d01b
Revises: 4f934e72941a
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.orm import declarative_base

revision = "9fca87f9d01b"
down_revision = "4f934e72941a"
branch_labels = None
depends_on = None

Base = declarative_base()


class Metric(Base):
    __tablename__ = "metrics"
    id = sa.Column(sa.BigInteger, primary_key=True)
    run_id = sa.Column(sa.String(32))


def upgrade():
    op.create_index(f"ix_{Metric.__tablename__}_run_id", Metric.__tablename__, ["run_id"])


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
