"""connection commit

Revision ID: fc6735f6a26b
Revises: 80cf8b311bc9
"""

from alembic import op
import sqlalchemy as sa

revision = "fc6735f6a26b"
down_revision = "80cf8b311bc9"
branch_labels = None
depends_on = None


def upgrade():
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE users SET state = 'new' WHERE state IS NULL"))
    connection.commit()
    op.add_column("users", sa.Column("since", sa.DateTime(), nullable=True))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
