"""backfill in the ddl transaction

Revision ID: 1fd889616f1d
Revises: b24f0983a4ad
"""

from alembic import op
import sqlalchemy as sa

revision = "1fd889616f1d"
down_revision = "b24f0983a4ad"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("currency", sa.String(3), nullable=True))
    op.execute("UPDATE orders SET currency = 'EUR' WHERE currency IS NULL")
    op.alter_column("orders", "currency", existing_type=sa.String(3), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
