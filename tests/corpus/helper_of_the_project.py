"""helper of the project

Revision ID: d3c1fcf21220
Revises: b902929d2a27
"""

from alembic import op

from shop.migration_utils import add_audit_columns

revision = "d3c1fcf21220"
down_revision = "b902929d2a27"
branch_labels = None
depends_on = None


def upgrade():
    add_audit_columns("orders")


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
