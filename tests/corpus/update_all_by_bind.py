"""update all by bind

Revision ID: 19bfa083f91a
Revises: a835ed7423bd
"""

from alembic import op
import sqlalchemy as sa

revision = "19bfa083f91a"
down_revision = "a835ed7423bd"
branch_labels = None
depends_on = None


def upgrade():
    conn = op.get_bind()
    conn.execute(sa.text("UPDATE users SET locale = :locale").bindparams(locale="en"))


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
