"""index on new table by helper

Revision ID: 97956fc061af
Revises: 5fe12cfc84ed
"""

from alembic import op
import sqlalchemy as sa

revision = "97956fc061af"
down_revision = "5fe12cfc84ed"
branch_labels = None
depends_on = None


def _create(name, *columns):
    op.create_table(name, sa.Column("id", sa.Integer(), primary_key=True), *columns)


def upgrade():
    _create("labels", sa.Column("name", sa.String(40), nullable=False))
    op.create_index("ix_labels_name", "labels", ["name"])


def downgrade():
    op.drop_table("labels")
