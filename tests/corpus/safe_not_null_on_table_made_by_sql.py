"""not null on table made by sql

Revision ID: 54a4e5206b52
Revises: 2f4939916887
"""

from alembic import op
import sqlalchemy as sa

revision = "54a4e5206b52"
down_revision = "2f4939916887"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE TABLE depots (id integer PRIMARY KEY)")
    op.add_column("depots", sa.Column("name", sa.String(30), nullable=False))
    op.execute("ALTER TABLE depots ADD COLUMN town varchar(30) NOT NULL DEFAULT ''")


def downgrade():
    op.execute("DROP TABLE depots")
