"""rows of joined values

Revision ID: 18d20ef517a6
Revises: 5490fdfb8d80
"""

from alembic import op
import sqlalchemy as sa

revision = "18d20ef517a6"
down_revision = "5490fdfb8d80"
branch_labels = None
depends_on = None

ROLES = ["auditor", "guest"]


def upgrade():
    values = ", ".join("('{}')".format(role) for role in ROLES)
    op.execute("INSERT INTO roles (name) VALUES " + values)


def downgrade():
    for role in ROLES:
        op.execute("DELETE FROM roles WHERE name = '%s'" % role)
