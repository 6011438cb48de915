"""sqlite datetime to date

Revision ID: 8084a0827297
Revises: f58ec626d513
"""

from alembic import op
import sqlalchemy as sa

revision = "8084a0827297"
down_revision = "f58ec626d513"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("stays", schema=None) as batch_op:
        batch_op.alter_column("arrives", existing_type=sa.DATETIME(), type_=sa.Date(), existing_nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
