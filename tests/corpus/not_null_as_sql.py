"""not null as sql

Revision ID: 1de5849f9cc3
Revises: e363e8646e75
"""

from alembic import op
import sqlalchemy as sa

revision = "1de5849f9cc3"
down_revision = "e363e8646e75"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE accounts ADD COLUMN plan varchar(20) NOT NULL")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
