"""type as sql

Revision ID: 89f58c78c63b
Revises: 6e09ebdfa476
"""

from alembic import op
import sqlalchemy as sa

revision = "89f58c78c63b"
down_revision = "6e09ebdfa476"
branch_labels = None
depends_on = None


def upgrade():
    conn = op.get_bind()
    conn.execute(sa.text("ALTER TABLE dag_run ALTER COLUMN conf TYPE JSONB USING conf::jsonb"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
