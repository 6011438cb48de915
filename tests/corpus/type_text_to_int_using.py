"""type text to int using

Revision ID: d19900834f8c
Revises: 0831048b5e50
"""

from alembic import op
import sqlalchemy as sa

revision = "d19900834f8c"
down_revision = "0831048b5e50"
branch_labels = None
depends_on = None


def upgrade():
    op.alter_column("orders", "amount", type_=sa.Integer(), existing_type=sa.Text(), postgresql_using="amount::integer")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
