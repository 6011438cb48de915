"""autostring not imported

Revision ID: 5d0c6a6a7f21
Revises: 4ee99c07d210
"""

from alembic import op
import sqlalchemy as sa

revision = "5d0c6a6a7f21"
down_revision = "4ee99c07d210"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("nickname", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=True))


def downgrade():
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_column("nickname")
