"""match of another engine

Revision ID: c68ece650cc3
Revises: 02d0e1af5bcc
"""

from alembic import op
import sqlalchemy as sa

revision = "c68ece650cc3"
down_revision = "02d0e1af5bcc"
branch_labels = None
depends_on = None


def upgrade():
    match op.get_bind().dialect.name:
        case "mysql" | "mariadb":
            op.drop_constraint("fk_old", "orders", type_="foreignkey")
            op.execute("DELETE FROM orders")
        case _:
            op.add_column("orders", sa.Column("note", sa.Text(), nullable=True))


def downgrade():
    if op.get_bind().dialect.name not in ("mysql", "mariadb"):
        op.drop_column("orders", "note")
