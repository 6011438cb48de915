"""The downgrade that HR-PR104 writes, on real databases: up, down to the schema that was, and up again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from handrail.lint.engine import judge
from handrail.lint.finding import Severity
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import identify
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Direction
from handrail.migrator.script_files import read_files
from handrail.workflows.lint_scripts import repair
from support.postgres import PostgresServer
from support.steps import module_of, run_steps

SETUP = (
    "CREATE TABLE rooms (id INTEGER NOT NULL, name VARCHAR(20) NOT NULL, PRIMARY KEY (id))",
    "CREATE TABLE bookings (id INTEGER NOT NULL, topic VARCHAR(20), seats INTEGER NOT NULL, room_id INTEGER,"
    " PRIMARY KEY (id))",
    "INSERT INTO rooms VALUES (1, 'small')",
    "INSERT INTO bookings VALUES (1, 'a', 2, 1), (2, 'b', 3, NULL)",
)
BOTH, POSTGRES = ("sqlite", "postgresql"), ("postgresql",)
BLOCK = "with op.get_context().autocommit_block():"
BATCH = "with op.batch_alter_table('bookings', schema=None) as batch_op:"
UPGRADES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "a column with an index": (BOTH, [
        "op.add_column('bookings', sa.Column('note', sa.Text()))",
        "op.create_index(op.f('ix_note'), 'bookings', ['note'])",
    ]),
    "a table with an index and an enum": (BOTH, [
        "op.create_table('visits', sa.Column('id', sa.Integer(), primary_key=True),",
        "    sa.Column('kind', sa.Enum('x', 'y', name='visit_kind'), nullable=False),",
        "    sa.Column('booking_id', sa.Integer(), sa.ForeignKey('bookings.id')))",
        "op.create_index('ix_kind', 'visits', ['kind'])",
        "op.add_column('bookings', sa.Column('visits', sa.Integer(), server_default='0', nullable=False))",
    ]),
    "a batch": (BOTH, [
        BATCH,
        "    batch_op.add_column(sa.Column('kind', sa.Integer(), server_default='1', nullable=False))",
        "    batch_op.create_unique_constraint('uq_kind', ['kind', 'id'])",
        "    batch_op.create_foreign_key('fk_room', 'rooms', ['room_id'], ['id'])",
        "    batch_op.create_check_constraint('ck_seats', 'seats > 0')",
        "    batch_op.create_index('ix_kind', ['kind'])",
    ]),
    "a column altered in a batch": (BOTH, [
        BATCH,
        "    batch_op.alter_column('topic', existing_type=sa.String(20), type_=sa.String(50))",
        "    batch_op.alter_column('seats', existing_type=sa.Integer(), server_default='1', "
        "existing_server_default=None, existing_nullable=False)",
    ]),
    "names": (BOTH, [
        "op.rename_table('bookings', 'reservations')",
        "op.alter_column('reservations', 'topic', new_column_name='subject')",
        "op.create_index('ix_subject', 'reservations', ['subject'])",
    ]),
    "a column filled and made strict": (POSTGRES, [
        "op.add_column('bookings', sa.Column('size', sa.BigInteger()))",
        "op.execute('UPDATE bookings SET size = 1 WHERE id > 0')",
        "op.alter_column('bookings', 'size', existing_type=sa.BigInteger(), nullable=False)",
    ]),
    "an index beside running code": (POSTGRES, [
        "op.alter_column('bookings', 'seats', existing_type=sa.Integer(), nullable=True, existing_nullable=False)",
        BLOCK,
        "    op.create_index('ix_topic', 'bookings', ['topic'], postgresql_concurrently=True, if_not_exists=True)",
    ]),
    "SQL": (POSTGRES, [
        "op.execute(\"CREATE TYPE mood AS ENUM ('good', 'bad')\")",
        "op.execute('ALTER TABLE bookings ADD COLUMN mood mood')",
        "op.execute('ALTER TABLE bookings ADD CONSTRAINT ck_seats CHECK (seats > 0) NOT VALID')",
        "op.execute('ALTER TABLE bookings RENAME COLUMN topic TO subject')",
    ]),
    "keys between two new tables": (POSTGRES, [
        "op.create_table('a', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('b_id', sa.Integer()))",
        "op.create_table('b', sa.Column('id', sa.Integer(), primary_key=True), "
        "sa.Column('a_id', sa.Integer(), sa.ForeignKey('a.id')))",
        "op.create_foreign_key('fk_b', 'a', 'b', ['b_id'], ['id'])",
    ]),
    "an enum type for a column": (BOTH, [
        "state = sa.Enum('on', 'off', name='state')",
        "state.create(op.get_bind(), checkfirst=True)",
        "op.add_column('bookings', sa.Column('state', state))",
    ]),
}  # fmt: skip


def repaired(lines: list[str], engine: str, folder: Path) -> ModuleType:
    """The script after `handrail lint --fix`; what is left of findings is nothing that speaks of the downgrade."""
    body = "".join(f"    {line}\n" for line in lines)
    head = "from alembic import op\nimport sqlalchemy as sa\n\nrevision = '1a'\ndown_revision = None\n\n\n"
    path = folder / "1a.py"
    path.write_text(f"{head}def upgrade() -> None:\n{body}\n\ndef downgrade() -> None:\n    pass\n")
    engines = frozenset({engine})
    (done,) = repair(read_files([path], folder), LintSettings(), engines)
    assert "HR-PR104" in {one.rule for one in done.gone}
    reading = read_script(identify("1a.py", done.source))
    for direction in Direction:
        found = judge(LintContext((reading,), is_path=False, direction=direction, engines=engines), LintSettings())
        # What a downgrade is for, and the locks that a type and NOT NULL cost on the way back too.
        lost = {"HR-DL101", "HR-DL102", "HR-BC101", "HR-BC102", "HR-LK106", "HR-LK107"}
        if direction is Direction.DOWNGRADE:
            heavy = [one for one in found if one.severity is not Severity.INFO and one.rule not in lost]
            assert heavy == [], done.source
        else:
            assert "HR-PR104" not in {one.rule for one in found}
    return module_of(str(path), done.source)


def there_and_back(engine: Engine, script: ModuleType, database: Database) -> None:
    def run(step: str) -> object:
        run_steps(engine, script, step)
        facts = database.facts()
        return facts.tables, facts.objects

    start = database.facts().tables, database.facts().objects
    upgraded = run("upgrade")
    assert upgraded != start
    assert run("downgrade") == start
    assert run("upgrade") == upgraded


def named(engine: str) -> list[str]:
    return [name for name, (engines, _) in UPGRADES.items() if engine in engines]


@pytest.mark.parametrize("name", named("sqlite"))
def test_on_sqlite(name: str, tmp_path: Path) -> None:
    file = tmp_path / "local.db"
    with closing(sqlite3.connect(file)) as raw, raw:
        for statement in SETUP:
            raw.execute(statement)
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    script = repaired(UPGRADES[name][1], "sqlite", tmp_path)
    there_and_back(engine, script, SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=tmp_path / "work"))


@pytest.mark.parametrize("name", named("postgresql"))
def test_on_postgresql(name: str, tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    postgres_server.execute(address, SETUP)
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    engine = create_engine(f"postgresql+psycopg://{where}", poolclass=NullPool)
    try:
        there_and_back(engine, repaired(UPGRADES[name][1], "postgresql", tmp_path), PostgresDatabase(address))
    finally:
        engine.dispose()
        postgres_server.drop(address.database)
