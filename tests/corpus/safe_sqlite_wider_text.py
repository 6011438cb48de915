"""sqlite wider text

Revision ID: 426ef4eb35da
Revises: 9f03a1333b60
"""

from alembic import op
import sqlalchemy as sa

revision = "426ef4eb35da"
down_revision = "9f03a1333b60"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(50), type_=sa.String(100))
        batch_op.alter_column("age", existing_type=sa.Integer(), type_=sa.BigInteger())


def downgrade():
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(100), type_=sa.String(50))
