"""enum for new table

Revision ID: 884edec64576
Revises: 6b6ba23d733e
"""

from alembic import op
import sqlalchemy as sa

revision = "884edec64576"
down_revision = "6b6ba23d733e"
branch_labels = None
depends_on = None

kind = sa.Enum("bug", "wish", name="ticket_kind")


def upgrade():
    op.create_table("tickets", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("kind", kind, nullable=False))


def downgrade():
    op.drop_table("tickets")
    kind.drop(op.get_bind(), checkfirst=True)
