"""drop tables of a split text

Revision ID: 9d92ac71f6c1
Revises: 5d9b43dbc403
"""

from alembic import op
import sqlalchemy as sa

revision = "9d92ac71f6c1"
down_revision = "5d9b43dbc403"
branch_labels = None
depends_on = None

STATEMENTS = """
DROP TABLE ab_old;
DROP TABLE ab_older
"""


def upgrade():
    bind = op.get_bind()
    for statement in STATEMENTS.strip().split(";"):
        bind.execute(sa.text(statement))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
