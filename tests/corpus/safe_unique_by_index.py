"""unique by index

Revision ID: 3ab5d6ecacc0
Revises: f567e619583d
"""

from alembic import op
import sqlalchemy as sa

revision = "3ab5d6ecacc0"
down_revision = "f567e619583d"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE users ADD CONSTRAINT uq_users_email UNIQUE USING INDEX ix_users_email")


def downgrade():
    op.drop_constraint("uq_users_email", "users", type_="unique")
