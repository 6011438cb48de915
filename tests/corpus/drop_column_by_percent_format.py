"""drop column by percent format

Revision ID: 6fc8f8b2c904
Revises: cdd7dbcd82e8
"""

from alembic import op
import sqlalchemy as sa

revision = "6fc8f8b2c904"
down_revision = "cdd7dbcd82e8"
branch_labels = None
depends_on = None


def upgrade():
    for table, column in (("users", "fax"), ("shops", "telex")):
        op.execute("ALTER TABLE %s DROP COLUMN %s" % (table, column))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
