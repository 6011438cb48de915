"""long identifier

Revision ID: dfd895ac95ce
Revises: eec880988ebf
"""

from alembic import op
import sqlalchemy as sa

revision = "dfd895ac95ce"
down_revision = "eec880988ebf"
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_customer_subscription_invoices_by_billing_period_and_payment_state",
            "invoices",
            ["period", "state"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
