"""branch in a variable

Revision ID: 16181f49a8c4
Revises: a9e5b0071402
"""

from alembic import op
import sqlalchemy as sa

revision = "16181f49a8c4"
down_revision = "a9e5b0071402"
branch_labels = None
depends_on = None


def upgrade():
    is_mysql = op.get_bind().dialect.name in ("mysql", "mariadb")
    if is_mysql:
        op.drop_constraint("fk_old", "orders", type_="foreignkey")
    op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    op.drop_column("orders", "note")
