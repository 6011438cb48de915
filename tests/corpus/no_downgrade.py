"""no downgrade

Revision ID: ec8a1a703e41
Revises: 77515bc55def
"""

from alembic import op
import sqlalchemy as sa

revision = "ec8a1a703e41"
down_revision = "77515bc55def"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    pass
