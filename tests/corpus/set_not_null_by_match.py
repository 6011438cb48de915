"""set not null by match

Revision ID: c66cec36a59d
Revises: b95361a192a6
"""

from alembic import op
import sqlalchemy as sa

revision = "c66cec36a59d"
down_revision = "b95361a192a6"
branch_labels = None
depends_on = None


def upgrade():
    match op.get_bind().dialect.name:
        case "postgresql":
            op.execute("ALTER TABLE orders ALTER COLUMN total SET NOT NULL")
        case _:
            with op.batch_alter_table("orders") as batch_op:
                batch_op.alter_column("total", existing_type=sa.Integer(), nullable=False)


def downgrade():
    raise NotImplementedError("there is no way back but the backup")
