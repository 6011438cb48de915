"""sqlite text to integer

Revision ID: 3c3a72ab176c
Revises: 5c66ed103092
"""

from alembic import op
import sqlalchemy as sa

revision = "3c3a72ab176c"
down_revision = "5c66ed103092"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("quantity", existing_type=sa.String(20), type_=sa.Integer(), existing_nullable=True)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
