"""index on new table as sql

Revision ID: 03a39eec4dba
Revises: 2c3f0677a50d
"""

from alembic import op
import sqlalchemy as sa

revision = "03a39eec4dba"
down_revision = "2c3f0677a50d"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        CREATE TABLE visits (id bigserial PRIMARY KEY, page text NOT NULL, at timestamptz DEFAULT now());
        CREATE INDEX ix_visits_page ON visits (page);
        ALTER TABLE visits ADD CONSTRAINT ck_page CHECK (page <> '');
        """
    )


def downgrade():
    op.execute("DROP TABLE visits")
