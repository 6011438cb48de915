"""function made

Revision ID: 943a7ec2ec33
Revises: 62875f6b1f4a
"""

from alembic import op
import sqlalchemy as sa

revision = "943a7ec2ec33"
down_revision = "62875f6b1f4a"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $$
        BEGIN
            DELETE FROM cache;
            NEW.updated_at := now();
            RETURN NEW;
        END
        $$ LANGUAGE plpgsql;
        """
    )


def downgrade():
    op.execute("DROP FUNCTION touch()")
