"""seed rows as sql

Revision ID: ececaaec4449
Revises: fe6861f7c55a
"""

from alembic import op
import sqlalchemy as sa

revision = "ececaaec4449"
down_revision = "fe6861f7c55a"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("INSERT INTO roles (name) VALUES ('auditor')")


def downgrade():
    op.execute("DELETE FROM roles WHERE name = 'auditor'")
