"""What a script opens by itself: engines of its own may read and not write; ways past SQLAlchemy never leave a copy."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from handrail.facts import DatabaseAddress
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import Limits, MigrationFailed
from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project, path_of

ONLY_NEWEST_SERVER = True

QUICK = Limits(lock_timeout=0.1, lock_retry=0.5, statement_timeout=30)
TOPICS = [(1, "파이썬 학습"), (2, "API 개발")]
OWN = 'engine = sa.create_engine(op.get_context().config.get_main_option("sqlalchemy.url"))\n'
READING = f"""{OWN}with engine.connect() as own:
    print("seen", own.execute(sa.text("SELECT count(*) FROM bookings")).scalar())
    own.rollback()
    print("seen", own.execute(sa.text("SELECT count(*) FROM bookings")).scalar())
op.create_table("extra", sa.Column("id", sa.Integer))"""
WRITES = {
    "delete": f'{OWN}with engine.begin() as own:\n    own.execute(sa.text("DELETE FROM bookings"))',
    "create": f'{OWN}with engine.begin() as own:\n    own.execute(sa.text("CREATE TABLE own (id INTEGER)"))',
    "after rollback": f"""{OWN}with engine.connect() as own:
    own.execute(sa.text("SELECT 1"))
    own.rollback()
    own.execute(sa.text("DELETE FROM bookings"))
    own.commit()""",
    "never closed": f'{OWN}own = engine.connect()\nown.execute(sa.text("DELETE FROM bookings"))',
    "autocommit": f"""{OWN}with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as own:
    own.execute(sa.text("DELETE FROM bookings"))""",
}
REFUSED = (
    "the script writes through a connection of its own: what it writes there is outside the revision's transaction"
    " and could be neither proven nor undone",
    "write through op.get_bind(); a connection of its own may only read",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A database at b2 and a copy of it."""

    folder: Path
    url: str
    live: DatabaseAddress
    copy: DatabaseAddress
    migrator: AlembicMigrator
    server: PostgresServer | None = None

    def run(self, text: str, *, on_copy: bool) -> str:
        """Run one more revision; what it printed."""
        c3 = Script("c3", "b2", text)
        make_project(self.folder, url=self.url, revisions=(BOOKINGS, STATUS, c3))
        self.migrator.describe()
        on = self.copy if on_copy else None
        return self.migrator.run(path_of(c3, start="b2"), on=on, limits=QUICK).output

    def refused(self, text: str, *, on_copy: bool) -> tuple[str, str]:
        with pytest.raises(
            MigrationFailed, match="the script of revision c3 failed at migrations/versions/c3"
        ) as caught:
            self.run(text, on_copy=on_copy)
        self.assert_untouched()
        return caught.value.why, caught.value.hint

    def assert_untouched(self) -> None:
        for address in (self.live, self.copy):
            assert self.rows(address, "SELECT id, topic FROM bookings ORDER BY id") == TOPICS
            assert self.rows(address, "SELECT version_num FROM alembic_version") == [("b2",)]

    def rows(self, address: DatabaseAddress, sql: str) -> list[tuple[object, ...]]:
        if self.server is not None:
            with self.server.connect(address) as connection:
                return connection.execute(sql.encode()).fetchall()
        with closing(sqlite3.connect(address.database)) as raw:
            return raw.execute(sql).fetchall()


@pytest.fixture
def migrator(tmp_path: Path) -> Iterator[AlembicMigrator]:
    with closing(AlembicMigrator(tmp_path)) as migrator:
        yield migrator


@pytest.fixture
def sqlite(tmp_path: Path, migrator: AlembicMigrator) -> Bench:
    live, copy = tmp_path / "local.db", tmp_path / "copy.db"
    shutil.copy(database_at_b2(live), copy)
    at_live, at_copy = (DatabaseAddress("sqlite", str(path)) for path in (live, copy))
    return Bench(tmp_path, "sqlite:///local.db", at_live, at_copy, migrator)


@pytest.fixture
def postgres(tmp_path: Path, migrator: AlembicMigrator, postgres_server: PostgresServer) -> Iterator[Bench]:
    live, copy = postgres_server.clone(), postgres_server.clone()
    for one in (live, copy):
        statements = [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('b2')",
            "CREATE TABLE bookings (id INT PRIMARY KEY, topic VARCHAR(100) NOT NULL)",
            "INSERT INTO bookings VALUES (1, '파이썬 학습'), (2, 'API 개발')",
        ]
        postgres_server.execute(one, statements)
    url = f"postgresql+psycopg://{live.user}:{live.password}@{live.host}:{live.port}/{live.database}"
    yield Bench(tmp_path, url, live, copy, migrator, postgres_server)
    for one in (live, copy):
        postgres_server.drop(one.database)


def test_sqlite(sqlite: Bench) -> None:
    reads_and_never_writes(sqlite)


def test_postgres(postgres: Bench) -> None:
    reads_and_never_writes(postgres)


def reads_and_never_writes(bench: Bench) -> None:
    for on_copy in (True, False):
        for name, text in WRITES.items():
            assert bench.refused(text, on_copy=on_copy) == REFUSED, name
    for on_copy in (True, False):
        assert bench.run(READING, on_copy=on_copy) == "seen 2\nseen 2\n"


def test_a_script_that_waits_for_itself(postgres: Bench) -> None:
    text = f"""
    op.add_column("bookings", sa.Column("more", sa.Integer))
    {OWN.strip()}
    with engine.connect() as own:
        own.execute(sa.text("SELECT count(*) FROM bookings"))
    """
    assert postgres.refused(text, on_copy=False) == (
        "a connection of the script's own waited 2 s for a lock: Alembic's connection holds it, which goes on only when"
        " the script does, or another session",
        "use op.get_bind() for tables that the script changes",
    )


DRIVERS = {
    "psycopg": """
    import psycopg
    with psycopg.connect(URL) as own:
        own.execute("DELETE FROM bookings")
    """,
    "psycopg (class)": """
    import psycopg
    with psycopg.Connection.connect(URL) as own:
        own.execute("DELETE FROM bookings")
    """,
    "asyncpg": """
    import asyncio, asyncpg
    async def delete():
        own = await asyncpg.connect(URL)
        await own.execute("DELETE FROM bookings")
    asyncio.run(delete())
    """,
}


def test_a_driver_past_sqlalchemy_never_reaches_the_live_database_from_a_copy(postgres: Bench) -> None:
    for driver, code in DRIVERS.items():
        text = code.replace("URL", repr(postgres.url.replace("+psycopg", "")))
        assert postgres.refused(text, on_copy=True) == (
            f"a connection of {driver.split()[0]} was refused: the code opens it by itself, passing SQLAlchemy by,"
            " while it runs on a copy",
            "use the connection that Alembic gives (op.get_bind())",
        )


PROGRAMS = {
    "run": 'import subprocess\nsubprocess.run(["/bin/sh", "-c", "echo ran"], check=True)',
    "system": "import os\nos.system(\"/bin/sh -c 'echo ran'\")",
    "spawn": 'import os\nos.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "echo ran"], {}), 0)',
    "exec": 'import os\nos.execv("/bin/sh", ["sh", "-c", "echo ran"])',
}


def test_a_script_starts_programs_on_the_live_database_only(sqlite: Bench) -> None:
    for text in PROGRAMS.values():
        assert sqlite.refused(text, on_copy=True) == (
            "the script starts a program (sh): on a copy that is refused: what it does cannot be led there and"
            " could change something real",
            "do it with op.execute(), or before or after the upgrade",
        )
    assert sqlite.run(PROGRAMS["run"], on_copy=False) == "ran\n"


def test_exceptions_that_are_no_errors(sqlite: Bench) -> None:
    for name in ("KeyboardInterrupt", "GeneratorExit", "BaseException"):
        with pytest.raises(MigrationFailed) as caught:
            sqlite.run(f"op.execute('DELETE FROM bookings')\nraise {name}('stop')", on_copy=False)
        assert caught.value.message == f"the script of revision c3 raised {name} at migrations/versions/c3_script.py:11"
        assert caught.value.why == f"{name}: stop"
        sqlite.assert_untouched()
