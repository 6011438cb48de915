"""not null column in a variable

Revision ID: 0d33cc130589
Revises: b0d80b41ada2
"""

from alembic import op
import sqlalchemy as sa

revision = "0d33cc130589"
down_revision = "b0d80b41ada2"
branch_labels = None
depends_on = None

new_column = sa.Column("attempts", sa.Integer(), nullable=False)


def upgrade():
    op.add_column("jobs", new_column)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
