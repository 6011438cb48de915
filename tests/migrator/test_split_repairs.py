"""Repairs that make several revisions, on real databases: up, down and up again with rows in place, guarded too."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress, DatabaseFacts
from handrail.lint.settings import LintSettings
from handrail.migrations.operations import RevisionRun
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import Limits, MigrationFailed
from handrail.migrator.script_files import ScriptFile, read_files, write_together
from handrail.workflows.lint_scripts import lint_files
from handrail.workflows.repair_scripts import Repairs, repair_all
from support.calling import handrail
from support.postgres import PostgresServer
from support.projects import SYNC_ENV, Script, make_project

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story

LIMITS = Limits(lock_timeout=2, lock_retry=2, statement_timeout=30)
FIRST = Script(
    "a1",
    None,
    """
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("topic", sa.String(100), nullable=False),
    )
    """,
    'op.drop_table("bookings")',
)
PLAIN = Script(
    "b2",
    "a1",
    """
    op.add_column("bookings", sa.Column("seats", sa.Integer(), nullable=False))
    op.add_column("bookings", sa.Column("owner name", sa.String(20), nullable=False))
    """,
    """
    op.drop_column("bookings", "owner name")
    op.drop_column("bookings", "seats")
    """,
)
BATCH = Script(
    "b2",
    "a1",
    """
    with op.batch_alter_table("bookings") as batch_op:
        batch_op.add_column(sa.Column("seats", sa.Integer(), nullable=False))
        batch_op.add_column(sa.Column("owner name", sa.String(20), nullable=False))
    """,
    """
    with op.batch_alter_table("bookings") as batch_op:
        batch_op.drop_column("owner name")
        batch_op.drop_column("seats")
    """,
)
LAST = Script(
    "c3",
    "b2",
    'op.create_table("rooms", sa.Column("id", sa.Integer, primary_key=True))',
    'op.drop_table("rooms")',
)
VALUES = {"bookings.seats": "id * 2", "bookings.owner name": "'a:b %s ' || substr(topic, 1, 5)"}


@dataclass
class Place:
    """A project on an empty database of one engine."""

    folder: Path
    address: DatabaseAddress
    server: PostgresServer | None = None

    @property
    def engine(self) -> str:
        return self.address.engine

    def make(self, *scripts: Script) -> None:
        url = "sqlite:///local.db"
        if self.server is not None:
            it = self.address
            url = f"postgresql+psycopg://{it.user}:{it.password}@{it.host}:{it.port}/{it.database}"
        make_project(self.folder, url=url, revisions=scripts, env=SYNC_ENV)

    def files(self) -> tuple[ScriptFile, ...]:
        return read_files([self.folder / "migrations" / "versions"], self.folder)

    def fix(self, *engines: str) -> Repairs:
        files = self.files()
        chosen = frozenset(engines or {self.engine})
        repairs = repair_all(files, files, LintSettings(), chosen)
        write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
        assert lint_files(self.files(), LintSettings(), chosen, is_whole=True).findings == ()
        assert repair_all(self.files(), self.files(), LintSettings(), chosen) == Repairs()
        return repairs

    def choose(self, values: dict[str, str]) -> None:
        (path,) = (self.folder / "migrations" / "versions").glob("*_fill_*.py")
        text = path.read_text()
        for name, value in values.items():
            assert f'    "{name}": None,\n' in text
            text = text.replace(f'    "{name}": None,\n', f'    "{name}": {value!r},\n')
        path.write_text(text)

    def run(self, target: str) -> tuple[RevisionRun, ...]:
        migrator = AlembicMigrator(self.folder)
        facts = migrator.describe(target)
        assert facts.path is not None
        return migrator.run(facts.path, on=self.address, limits=LIMITS).runs

    def execute(self, *statements: str) -> None:
        if self.server is not None:
            self.server.execute(self.address, statements)
            return
        with closing(sqlite3.connect(self.address.database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        if self.server is not None:
            with self.server.connect(self.address) as connection:
                return connection.execute(sql.encode()).fetchall()
        with closing(sqlite3.connect(self.address.database)) as connection:
            return connection.execute(sql).fetchall()

    def facts(self) -> DatabaseFacts:
        if self.server is not None:
            return PostgresDatabase(self.address).facts()
        return SqliteDatabase(self.address, work_dir=self.folder / "work").facts()


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    address = postgres_server.clone()
    yield Place(tmp_path, address, postgres_server)
    postgres_server.drop(address.database)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Place:
    return Place(tmp_path, DatabaseAddress("sqlite", str(tmp_path / "local.db")))


def up_down_up(place: Place, script: Script, *engines: str) -> None:
    place.make(FIRST, script, LAST)
    repairs = place.fix(*engines)
    assert [one.revision.message for one in repairs.added] == [
        "fill bookings.seats, bookings.owner name",
        "require bookings.seats, bookings.owner name",
    ]
    place.run("a1")
    place.execute("INSERT INTO bookings (id, topic) VALUES (1, 'x'), (2, 'y')")
    with pytest.raises(MigrationFailed) as failed:
        place.run("head")
    fill = repairs.added[0].revision.id
    assert failed.value.why.splitlines()[0] == (
        f"ValueError: bookings.seats is NULL in 2 rows and no value for it was chosen; "
        f'write its SQL into VALUES["bookings.seats"] in the script of revision {fill}'
    )
    place.choose(VALUES)
    for _ in range(2):
        place.run("head")
        assert place.rows('SELECT id, topic, seats, "owner name" FROM bookings ORDER BY id') == [
            (1, "x", 2, "a:b %s x"),
            (2, "y", 4, "a:b %s y"),
        ]
        place.run("a1")
        assert place.rows("SELECT * FROM bookings ORDER BY id") == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("script", [PLAIN, BATCH], ids=["plain", "batch"])
@pytest.mark.parametrize("engines", [("postgresql",), ("postgresql", "sqlite")], ids=["one", "both"])
def test_up_down_up_on_postgresql(on_postgres: Place, script: Script, engines: tuple[str, ...]) -> None:
    up_down_up(on_postgres, script, *engines)


@pytest.mark.parametrize("script", [PLAIN, BATCH], ids=["plain", "batch"])
@pytest.mark.parametrize("engines", [("sqlite",), ("postgresql", "sqlite")], ids=["one", "both"])
def test_up_down_up_on_sqlite(on_sqlite: Place, script: Script, engines: tuple[str, ...]) -> None:
    up_down_up(on_sqlite, script, *engines)


def same_schema(place: Place, script: Script) -> None:
    """On an empty table the split scripts lead to what the unsplit one does."""
    place.make(FIRST, script, LAST)
    place.run("head")
    wanted = place.facts()
    place.run("a1")
    place.fix()
    place.run("head")
    got = place.facts()
    assert (got.tables, got.objects) == (wanted.tables, wanted.objects)


@pytest.mark.parametrize("script", [PLAIN, BATCH], ids=["plain", "batch"])
def test_the_same_schema_on_postgresql(on_postgres: Place, script: Script) -> None:
    same_schema(on_postgres, script)


def test_the_same_schema_on_sqlite(on_sqlite: Place) -> None:
    on_sqlite.make(FIRST, BATCH, LAST)
    on_sqlite.fix()
    on_sqlite.run("head")
    columns = on_sqlite.rows("SELECT name, type, \"notnull\" FROM pragma_table_info('bookings') ORDER BY cid")
    assert columns == [
        ("id", "INTEGER", 1),
        ("topic", "VARCHAR(100)", 1),
        ("seats", "INTEGER", 1),
        ("owner name", "VARCHAR(20)", 1),
    ]


def test_a_table_in_a_schema_and_long_names(on_postgres: Place) -> None:
    name = "a_column_of_which_the_name_is_nearly_as_long_as_it_can_be_at_all"[:60]
    make = 'op.create_table("Rooms", sa.Column("id", sa.Integer, primary_key=True), schema="shop")'
    add = f'op.add_column("Rooms", sa.Column("{name}", sa.Text(), nullable=False), schema="shop")'
    on_postgres.execute("CREATE SCHEMA shop")
    on_postgres.make(
        Script("a1", None, make, 'op.drop_table("Rooms", schema="shop")'),
        Script("b2", "a1", add, f'op.drop_column("Rooms", "{name}", schema="shop")'),
    )
    on_postgres.fix()
    on_postgres.run("a1")
    on_postgres.execute('INSERT INTO shop."Rooms" VALUES (1), (2)')
    on_postgres.choose({f"shop.Rooms.{name}": "'x' || id"})
    on_postgres.run("head")
    assert on_postgres.rows(f'SELECT id, {name} FROM shop."Rooms" ORDER BY 1') == [(1, "x1"), (2, "x2")]
    with pytest.raises(Exception, match="not-null constraint"):
        on_postgres.execute('INSERT INTO shop."Rooms" VALUES (3)')
    assert on_postgres.rows("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conname LIKE 'ck_%'") == []
    on_postgres.run("a1")
    on_postgres.run("head")


def test_partitions_are_filled_in_batches_too(on_postgres: Place) -> None:
    make = "op.execute('CREATE TABLE bookings (id integer, topic text) PARTITION BY RANGE (id)')"
    on_postgres.make(Script("a1", None, make, 'op.drop_table("bookings")'), PLAIN)
    on_postgres.fix()
    on_postgres.run("a1")
    on_postgres.execute(
        "CREATE TABLE low PARTITION OF bookings FOR VALUES FROM (0) TO (20000)",
        "CREATE TABLE high PARTITION OF bookings FOR VALUES FROM (20000) TO (100000)",
        "INSERT INTO bookings SELECT n, repeat('x', 50) FROM generate_series(0, 99999) n",
    )
    on_postgres.choose(VALUES)
    runs = on_postgres.run("head")
    updates = [one.sql for one in runs[1].statements if one.sql.startswith("UPDATE")]
    pages = on_postgres.rows("SELECT relpages FROM pg_class WHERE relname = 'high'")
    assert pages
    assert len(updates) >= 8
    assert on_postgres.rows("SELECT count(*) FROM bookings WHERE seats = id * 2") == [(100_000,)]


def test_the_rows_are_filled_under_no_lock_that_keeps_others_waiting(on_postgres: Place) -> None:
    on_postgres.make(FIRST, PLAIN, LAST)
    on_postgres.fix()
    on_postgres.run("a1")
    on_postgres.execute("INSERT INTO bookings SELECT n, repeat('x', 50) FROM generate_series(1, 100000) n")
    on_postgres.choose(VALUES)
    expand, fill, require, _ = on_postgres.run("head")
    name = "bookings"

    def modes(run: RevisionRun) -> set[str]:
        return {lock.mode for one in run.statements for lock in one.locks if lock.table.name == name}

    assert "AccessExclusive" in modes(expand)
    assert modes(fill) <= {"AccessShare", "RowExclusive"}
    updates = [one for one in fill.statements if one.sql.startswith("UPDATE")]
    assert len(updates) > 6
    assert max(one.rows for one in updates) < 50_000
    validated = [one for one in require.statements if "VALIDATE" in one.sql]
    assert [one.locks for one in validated] == [()]  # in no transaction that holds one after it
    assert [one.rewritten for run in (expand, fill, require) for one in run.statements if one.rewritten] == []


def test_what_others_write_while_it_is_filled_is_filled_too(on_postgres: Place) -> None:
    on_postgres.make(FIRST, PLAIN, LAST)
    on_postgres.fix()
    on_postgres.run("a1")
    on_postgres.execute("INSERT INTO bookings SELECT n, repeat('x', 50) FROM generate_series(1, 60000) n")
    on_postgres.choose(VALUES)
    on_postgres.run("b2")
    ended, waits = threading.Event(), []

    def write() -> None:
        assert on_postgres.server is not None
        with on_postgres.server.connect(on_postgres.address) as connection:
            number = 60_000
            while not ended.is_set():
                number, begun = number + 1, time.monotonic()
                connection.execute("INSERT INTO bookings (id, topic) VALUES (%s, 'new')", [number])
                waits.append(time.monotonic() - begun)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        on_postgres.run(fill_id(on_postgres))
    finally:
        ended.set()
        writer.join()
    left = on_postgres.rows("SELECT count(*) FROM bookings WHERE seats IS NULL")[0][0]
    assert len(waits) > 10
    assert isinstance(left, int)
    assert left < len(waits)
    assert on_postgres.rows("SELECT count(*) FROM bookings WHERE id <= 60000 AND seats IS NULL") == [(0,)]


def fill_id(place: Place) -> str:
    (path,) = (place.folder / "migrations" / "versions").glob("*_fill_*.py")
    return path.name.partition("_")[0]


def guarded(place: Place) -> None:
    """A guarded upgrade over the split history: rehearsed, proven, its downgrade too."""
    place.make(FIRST, BATCH, LAST)
    place.fix()
    assert handrail(place.folder, "upgrade", "a1", "--yes").code == 0
    place.execute("INSERT INTO bookings (id, topic) VALUES (1, 'x'), (2, 'y')")
    said = handrail(place.folder, "upgrade", "--yes")
    assert (said.code, said.error.splitlines()[1:]) == (
        6,
        [
            "  why: ValueError: bookings.seats is NULL in 2 rows and no value for it was chosen; write its SQL into "
            f'VALUES["bookings.seats"] in the script of revision {fill_id(place)}',
            "  next: correct the script and run the command again; the live database is untouched",
        ],
    )
    place.choose(VALUES)
    assert handrail(place.folder, "plan").code == 0
    said = handrail(place.folder, "upgrade", "--yes", "--json")
    result = json.loads(said.out)["result"]
    assert (said.code, result["warnings"], result["rehearsal"]["downgrade_proven"]) == (0, [], True)
    assert place.rows("SELECT seats FROM bookings ORDER BY id") == [(2,), (4,)]
    assert handrail(place.folder, "downgrade", "a1", "--yes").code == 0
    assert place.rows("SELECT * FROM bookings ORDER BY id") == [(1, "x"), (2, "y")]


def test_guarded_on_postgresql(on_postgres: Place) -> None:
    guarded(on_postgres)


def test_guarded_on_sqlite(on_sqlite: Place) -> None:
    guarded(on_sqlite)


def alembic(place: Place, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *words], cwd=place.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["on_postgres", "on_sqlite"])
def test_alembic_alone_runs_and_writes_out_what_handrail_wrote(
    name: str, request: pytest.FixtureRequest, postgres_server: PostgresServer
) -> None:
    """Nothing of handrail is in the scripts; env.py has one transaction for all of them, as in Alembic's template."""
    place: Place = request.getfixturevalue(name)
    place.make(FIRST, BATCH, LAST)
    place.fix("postgresql", "sqlite")
    alembic(place, "upgrade", "a1")
    place.execute("INSERT INTO bookings (id, topic) VALUES (1, 'x'), (2, 'y')")
    place.choose(VALUES)
    if place.engine == "postgresql":
        written = alembic(place, "upgrade", "a1:head", "--sql")
        assert "UPDATE bookings SET seats=id * 2 WHERE bookings.seats IS NULL" in written
        assert "ALTER TABLE bookings VALIDATE CONSTRAINT ck_bookings_seats_not_null, " in written
    alembic(place, "upgrade", "head")
    assert place.rows('SELECT seats, "owner name" FROM bookings ORDER BY id') == [(2, "a:b %s x"), (4, "a:b %s y")]
    alembic(place, "downgrade", "a1")
    assert place.rows("SELECT * FROM bookings ORDER BY id") == [(1, "x"), (2, "y")]
