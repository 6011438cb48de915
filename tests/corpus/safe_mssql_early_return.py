"""mssql early return

Revision ID: e2a451b71562
Revises: 0ff6d1d57558
"""

from alembic import op
import sqlalchemy as sa

revision = "e2a451b71562"
down_revision = "0ff6d1d57558"
branch_labels = None
depends_on = None


def upgrade():
    conn = op.get_bind()
    if conn.dialect.name != "mssql":
        return
    op.create_unique_constraint("uq_dag_run", "dag_run", ["dag_id", "run_id"])
    op.alter_column("dag_run", "conf", existing_type=sa.Text(), type_=sa.JSON())


def downgrade():
    if op.get_context().dialect.name == "mssql":
        op.drop_constraint("uq_dag_run", "dag_run", type_="unique")
