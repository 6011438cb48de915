"""varchar to text

Revision ID: bc36ed1ac793
Revises: dd7b4d5c89f0
"""

from alembic import op
import sqlalchemy as sa

revision = "bc36ed1ac793"
down_revision = "dd7b4d5c89f0"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("model_versions") as batch_op:
        batch_op.alter_column("description", existing_type=sa.String(5000), type_=sa.Text())


def downgrade():
    with op.batch_alter_table("model_versions") as batch_op:
        batch_op.alter_column("description", existing_type=sa.Text(), type_=sa.String(5000))
