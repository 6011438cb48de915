"""delete with where

Revision ID: 7f7644d961cc
Revises: 5844e2cb1f2c
"""

from alembic import op
import sqlalchemy as sa

revision = "7f7644d961cc"
down_revision = "5844e2cb1f2c"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("DELETE FROM permissions WHERE name = 'can_export' AND view = 'Reports'")


def downgrade():
    op.execute("INSERT INTO permissions (name, view) VALUES ('can_export', 'Reports')")
