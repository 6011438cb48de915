"""index on new table of a class

Revision ID: 31ca5edb7987
Revises: 4e47b9737ff7
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.orm import declarative_base

revision = "31ca5edb7987"
down_revision = "4e47b9737ff7"
branch_labels = None
depends_on = None

Base = declarative_base()


class Trace(Base):
    __tablename__ = "traces"
    id = sa.Column(sa.BigInteger, primary_key=True)


def upgrade():
    op.create_table(
        Trace.__tablename__,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("run_id", sa.String(32), nullable=False),
    )
    op.create_index(f"ix_{Trace.__tablename__}_run_id", Trace.__tablename__, ["run_id"])


def downgrade():
    op.drop_table(Trace.__tablename__)
