"""stored generated as sql

Revision ID: 0fb73da84e55
Revises: 5835862783eb
"""

from alembic import op
import sqlalchemy as sa

revision = "0fb73da84e55"
down_revision = "5835862783eb"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        "ALTER TABLE documents ADD COLUMN tsv tsvector "
        "GENERATED ALWAYS AS (to_tsvector('english', coalesce(title, ''))) STORED"
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
