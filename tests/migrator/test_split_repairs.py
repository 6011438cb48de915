"""Repairs that make several revisions, on real databases: up, down and up again with rows in place, guarded too."""

from __future__ import annotations

import sqlite3
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
from support.postgres import PostgresServer
from support.projects import SYNC_ENV, Script, make_project

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
VALUES = {"bookings.seats": "id * 2", "bookings.owner name": "'a:b %s ' || topic"}


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

    def run(self, target: str, *, back: bool = False) -> tuple[RevisionRun, ...]:
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
