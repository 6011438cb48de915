"""rows of new table rewritten

Revision ID: 7524b7b003c1
Revises: 4a73d0057927
"""

from alembic import op
import sqlalchemy as sa

revision = "7524b7b003c1"
down_revision = "4a73d0057927"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("sizes", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("label", sa.Text()))
    op.execute("INSERT INTO sizes (id, label) SELECT id, name FROM products WHERE name IS NOT NULL")
    op.execute("UPDATE sizes SET label = upper(label)")


def downgrade():
    op.drop_table("sizes")
