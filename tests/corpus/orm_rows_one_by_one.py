"""orm rows one by one

Revision ID: ef705c9a2e4e
Revises: b3648f3783cb
"""

from alembic import op
from sqlalchemy import Column, Integer, String, orm

revision = "ef705c9a2e4e"
down_revision = "b3648f3783cb"
branch_labels = None
depends_on = None

Base = orm.declarative_base()


class Metric(Base):
    __tablename__ = "metrics"
    id = Column(Integer, primary_key=True)
    name = Column(String(50))


def upgrade():
    session = orm.Session(bind=op.get_bind())
    for metric in session.query(Metric):
        metric.name = metric.name.lower()
    session.flush()


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
