"""A confirmed rename on real databases: every value is there under the new name, and under the old one after the way back."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from handrail.lint.settings import LintSettings
from handrail.migrator.script_files import read_files
from handrail.workflows.lint_scripts import repair
from support.postgres import PostgresServer
from support.steps import module_of, run_steps

HEAD = "from alembic import op\nimport sqlalchemy as sa\nrevision = '1a'\ndown_revision = None\n\n\n"
SETUP = (
    "CREATE TABLE bookings (id INTEGER NOT NULL, topic VARCHAR(50) NOT NULL, PRIMARY KEY (id))",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
PLAIN = """
def upgrade():
    op.add_column('bookings', sa.Column('subject', sa.String(length=50), nullable=False))
    op.drop_column('bookings', 'topic')


def downgrade():
    op.add_column('bookings', sa.Column('topic', sa.VARCHAR(length=50), nullable=False))
    op.drop_column('bookings', 'subject')
"""
BATCH = """
def upgrade():
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('subject', sa.String(length=50), server_default='x', nullable=False))
        batch_op.drop_column('topic')


def downgrade():
    with op.batch_alter_table('bookings', schema=None) as batch_op:
        batch_op.add_column(sa.Column('topic', sa.VARCHAR(length=50), nullable=False))
        batch_op.drop_column('subject')
"""
TABLE = """
def upgrade():
    op.create_table('visits', sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('topic', sa.String(length=50), nullable=False), sa.PrimaryKeyConstraint('id'))
    op.drop_table('bookings')


def downgrade():
    op.create_table('bookings', sa.Column('id', sa.INTEGER(), nullable=False),
        sa.Column('topic', sa.VARCHAR(length=50), nullable=False), sa.PrimaryKeyConstraint('id'))
    op.drop_table('visits')
"""
CASES = [(PLAIN, "SELECT id, subject FROM bookings"), (BATCH, "SELECT id, subject FROM bookings"),
         (TABLE, "SELECT id, topic FROM visits")]  # fmt: skip
ROWS = [(1, "a"), (2, "b")]


def renamed(body: str, engine: str, folder: Path) -> ModuleType:
    path = folder / "1a.py"
    path.write_text(HEAD + body)
    (done,) = repair(read_files([path], folder), LintSettings(), frozenset({engine}), confirm=lambda _finding: True)
    assert "HR-DL103" in {one.rule for one in done.gone}
    return module_of(str(path), done.source)


def there_and_back(engine: Engine, script: ModuleType, new: str) -> None:
    def rows(query: str) -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(f"{query} ORDER BY id")]

    with engine.begin() as connection:
        for statement in SETUP:
            connection.exec_driver_sql(statement)
    run_steps(engine, script, "upgrade")
    assert rows(new) == ROWS
    run_steps(engine, script, "downgrade")
    assert rows("SELECT id, topic FROM bookings") == ROWS
    run_steps(engine, script, "upgrade")
    assert rows(new) == ROWS


@pytest.mark.parametrize(("body", "new"), CASES)
def test_on_sqlite(body: str, new: str, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'local.db'}", poolclass=NullPool)
    there_and_back(engine, renamed(body, "sqlite", tmp_path), new)


@pytest.mark.parametrize(("body", "new"), CASES)
def test_on_postgresql(body: str, new: str, tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    engine = create_engine(f"postgresql+psycopg://{where}", poolclass=NullPool)
    try:
        there_and_back(engine, renamed(body, "postgresql", tmp_path), new)
    finally:
        engine.dispose()
        postgres_server.drop(address.database)
