"""sqlite not null by match

Revision ID: 964c839460c6
Revises: 6c5a6b7c1238
"""

from alembic import op
import sqlalchemy as sa

revision = "964c839460c6"
down_revision = "6c5a6b7c1238"
branch_labels = None
depends_on = None


def upgrade():
    match op.get_context().dialect.name:
        case "mysql":
            return
        case "postgresql" | "sqlite":
            op.alter_column("orders", "total", existing_type=sa.Integer(), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
