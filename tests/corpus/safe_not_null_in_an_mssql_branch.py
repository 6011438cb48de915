"""not null in an mssql branch

Revision ID: 65c09a8e01b8
Revises: adb1e63b519e
"""

from alembic import op
import sqlalchemy as sa

revision = "65c09a8e01b8"
down_revision = "adb1e63b519e"
branch_labels = None
depends_on = None


def upgrade():
    if op.get_bind().dialect.name == "mssql":
        op.add_column("job", sa.Column("kind", sa.String(30), nullable=False))
    else:
        op.add_column("job", sa.Column("kind", sa.String(30), server_default="batch", nullable=False))


def downgrade():
    op.drop_column("job", "kind")
