"""index as sql of several statements

Revision ID: 9d347dbc5ffd
Revises: 075f4f425f60
"""

from alembic import op
import sqlalchemy as sa

revision = "9d347dbc5ffd"
down_revision = "075f4f425f60"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        -- speeds up the list of open invoices
        SET LOCAL statement_timeout = '0';
        CREATE INDEX ix_invoices_open ON invoices (due_on) WHERE paid_at IS NULL;
        CREATE INDEX IF NOT EXISTS ix_invoices_customer ON invoices USING btree (customer_id);
        """
    )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
