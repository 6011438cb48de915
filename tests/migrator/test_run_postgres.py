"""Guarded runs on PostgreSQL: per-revision transactions, lock waits, proofs, clones; sync and async drivers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import DatabaseUnavailable, LockNotObtained, ProjectError
from handrail.facts import DatabaseAddress, HeldLock, TableName
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import (
    InTransactionProof,
    Limits,
    MigrationEvent,
    MigrationFailed,
    MigrationOutcome,
    ProofFailed,
    ProofRequest,
)
from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, make_project, path_of
from support.projects import ENVIRONMENTS as ENVIRONMENTS_BY_STYLE

ONLY_NEWEST_SERVER = True

DRIVERS = {"psycopg": "sync", "psycopg-async": "async", "asyncpg": "async"}
QUICK = Limits(lock_timeout=0.1, lock_retry=1.0, statement_timeout=30)
TOPICS = {TableName("bookings"): (("id", "topic"),)}
CREATE = [
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('b2')",
    "CREATE TABLE bookings (id SERIAL PRIMARY KEY, topic VARCHAR(100) NOT NULL, status VARCHAR(50) NOT NULL)",
    "INSERT INTO bookings (topic, status) VALUES ('파이썬 학습', 'SCHEDULED'), ('API 개발', 'SCHEDULED')",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    server: PostgresServer
    address: DatabaseAddress
    folder: Path

    def url(self, driver: str) -> str:
        one = self.address
        return f"postgresql+{driver.partition('-')[0]}://{one.user}:{one.password}@{one.host}:{one.port}/{one.database}"

    def rows(self, sql: str, address: DatabaseAddress | None = None) -> list[tuple[object, ...]]:
        with self.server.connect(address or self.address) as connection:
            return connection.execute(sql.encode()).fetchall()

    def stamp(self, address: DatabaseAddress | None = None) -> list[tuple[object, ...]]:
        return self.rows("SELECT version_num FROM alembic_version", address)

    def project(self, *scripts: Script, driver: str = "psycopg", env: str | None = None) -> AlembicMigrator:
        make_project(self.folder, style=DRIVERS[driver], url=self.url(driver), revisions=scripts, env=env)
        return AlembicMigrator(self.folder)

    def run_c3(self, text: str, *, driver: str = "psycopg", env: str | None = None, **options: Any) -> MigrationOutcome:
        """Run one more revision on a database that is at b2."""
        c3 = Script("c3", "b2", text)
        self.server.execute(self.address, CREATE)
        migrator = self.project(BOOKINGS, STATUS, c3, driver=driver, env=env)
        return migrator.run(path_of(c3, start="b2"), **{"limits": QUICK, **options})


@pytest.fixture
def place(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Place]:
    address = postgres_server.clone()
    yield Place(postgres_server, address, tmp_path)
    postgres_server.drop(address.database)


drivers = pytest.mark.parametrize("driver", DRIVERS)
two_drivers = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])


@drivers
def test_each_revision_is_committed_by_itself(place: Place, driver: str) -> None:
    broken = Script("c3", "b2", 'op.execute("CREATE TABLE half (id INTEGER)")\nop.execute("SELECT nothing")')
    migrator = place.project(BOOKINGS, STATUS, broken, driver=driver)
    events: list[MigrationEvent] = []
    facts = migrator.describe("head")
    assert (facts.address, facts.is_async, facts.driver) == (
        place.address,
        DRIVERS[driver] == "async",
        "asyncpg" if driver == "asyncpg" else facts.driver,
    )
    assert facts.path is not None
    with pytest.raises(MigrationFailed) as caught:
        migrator.run(facts.path, limits=QUICK, on_event=events.append)
    assert caught.value.committed == ("a1", "b2")
    assert caught.value.message == "the script of revision c3 failed at migrations/versions/c3_script.py:11"
    assert 'column "nothing" does not exist' in caught.value.why
    assert place.stamp() == [("b2",)]
    assert [(event.kind, event.revision) for event in events if event.kind != "statement"] == [
        ("revision", "a1"),
        ("committing", "a1"),
        ("committed", "a1"),
        ("revision", "b2"),
        ("committing", "b2"),
        ("committed", "b2"),
        ("revision", "c3"),
    ]
    assert place.rows("SELECT topic, status FROM bookings ORDER BY id") == [
        ("파이썬 학습", "SCHEDULED"),
        ("API 개발", "SCHEDULED"),
    ]


@drivers
def test_the_clone_is_changed_and_observed_the_original_is_not(place: Place, driver: str) -> None:
    clone = place.server.clone()
    place.server.execute(place.address, CREATE)
    place.server.execute(clone, CREATE)
    alter = Script("c3", "b2", 'op.alter_column("bookings", "id", type_=sa.BigInteger(), existing_type=sa.Integer())')
    migrator = place.project(BOOKINGS, STATUS, alter, driver=driver)
    migrator.describe()
    outcome = migrator.run(path_of(alter, start="b2"), on=clone, limits=QUICK)
    assert (place.stamp(), place.stamp(clone)) == ([("b2",)], [("c3",)])
    [statement] = [one for one in outcome.runs[0].statements if one.sql.startswith("ALTER")]
    bookings = TableName("bookings")
    assert HeldLock(bookings, "AccessExclusive") in statement.locks
    assert statement.rewritten == (bookings,)
    assert outcome.runs[0].operations[0].changes_values is True
    place.server.drop(clone.database)


@two_drivers
def test_the_proof_locks_judges_and_rolls_back(place: Place, driver: str) -> None:
    judged: list[InTransactionProof] = []

    def judge(_: str, proof: InTransactionProof) -> None:
        assert place.rows(
            "SELECT count(*) FROM pg_locks WHERE mode = 'ShareRowExclusiveLock' AND relation = 'bookings'::regclass"
        ) == [(1,)]
        judged.append(proof)
        if proof.before.tables != proof.after.tables:
            raise ProofFailed("bookings changed")

    request = ProofRequest(TOPICS, TOPICS, locks=(HeldLock(TableName("bookings"), "ShareRowExclusive"),))
    with pytest.raises(ProofFailed, match="bookings changed"):
        place.run_c3(
            "op.execute(\"UPDATE bookings SET topic = '100%' WHERE id = 1\")",
            driver=driver,
            proofs={"c3": request},
            judge=judge,
        )
    assert place.stamp() == [("b2",)]
    assert place.rows("SELECT topic FROM bookings WHERE id = 1") == [("파이썬 학습",)]
    assert [proof.before.rows for proof in judged] == [2]


def test_tables_that_are_not_locked_are_not_read(place: Place) -> None:
    """Others may write to them at any time, so comparing them inside the transaction would blame the script."""
    seen: list[InTransactionProof] = []
    others = "CREATE TABLE others AS SELECT 1 AS a"
    request = ProofRequest(TOPICS, TOPICS, locks=(HeldLock(TableName("bookings"), "ShareRowExclusive"),))
    place.server.execute(place.address, [others])
    place.run_c3("pass", proofs={"c3": request}, judge=lambda _, proof: seen.append(proof))
    [proof] = seen
    assert [table.table.name for table in (*proof.before.tables, *proof.after.tables)] == ["bookings", "bookings"]
    assert [table.name.name for table in proof.facts_after.tables] == ["bookings", "others"]


@two_drivers
def test_a_lock_that_is_not_had_is_tried_again(place: Place, driver: str) -> None:
    alter = 'op.add_column("bookings", sa.Column("note", sa.Text()))'
    place.server.execute(place.address, CREATE)
    c3, d4 = Script("c3", "b2"), Script("d4", "c3", alter)
    migrator = place.project(BOOKINGS, STATUS, c3, d4, driver=driver)
    waits: list[str] = []
    with place.server.connect(place.address) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM bookings")

        def release(event: MigrationEvent) -> None:
            if event.kind == "lock_wait":
                waits.append(event.text)
                other.execute("ROLLBACK")

        limits = dataclasses.replace(QUICK, lock_retry=30)
        outcome = migrator.run(path_of(c3, d4, start="b2"), limits=limits, on_event=release)
    assert outcome.lock_waits == len(waits) >= 1
    assert "ALTER TABLE bookings ADD COLUMN note TEXT" in waits[0]
    assert "holds bookings" in waits[0]
    assert [run.revision for run in outcome.runs] == ["c3", "d4"]
    assert place.stamp() == [("d4",)]


def test_a_lock_that_is_never_had(place: Place) -> None:
    with place.server.connect(place.address) as other:
        place.server.execute(place.address, CREATE)
        other.execute("BEGIN")
        other.execute("SELECT * FROM bookings")
        c3 = Script("c3", "b2", 'op.drop_table("bookings")')
        migrator = place.project(BOOKINGS, STATUS, c3)
        with pytest.raises(LockNotObtained, match=r"no lock for revision c3 within 0\.2 s") as caught:
            migrator.run(path_of(c3, start="b2"), limits=dataclasses.replace(QUICK, lock_retry=0.2))
        assert "DROP TABLE bookings" in caught.value.why
    assert place.stamp() == [("b2",)]


ENDINGS = [
    ('op.execute("COMMIT")', "psycopg", "the script says COMMIT by itself"),
    ("op.get_bind().commit()", "asyncpg", "the script calls commit() by itself"),
    ("op.get_bind().connection.commit()", "psycopg-async", "the script committed by itself"),
]


@pytest.mark.parametrize(("ending", "driver", "why"), ENDINGS)
def test_a_script_may_not_end_the_transaction(place: Place, ending: str, driver: str, why: str) -> None:
    with pytest.raises(MigrationFailed) as caught:
        place.run_c3(ending, driver=driver)
    assert caught.value.why.startswith(why)
    assert place.stamp() == [("b2",)]


@two_drivers
def test_autocommit_block(place: Place, driver: str) -> None:
    text = """
    with op.get_context().autocommit_block():
        op.create_index("ix_topic", "bookings", ["topic"], postgresql_concurrently=True)
    op.execute("UPDATE bookings SET status = 'X'")
    """
    place.run_c3(text, driver=driver)
    assert place.stamp() == [("c3",)]
    assert place.rows("SELECT indexname FROM pg_indexes WHERE indexname = 'ix_topic'") == [("ix_topic",)]


def test_a_script_that_hangs_in_the_server_is_ended(place: Place) -> None:
    limits = dataclasses.replace(QUICK, statement_timeout=1.5)
    with pytest.raises(MigrationFailed, match="revision c3"):
        place.run_c3('op.execute("SELECT pg_sleep(600)")', limits=limits)
    assert place.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == [(0,)]
    assert place.stamp() == [("b2",)]


ENVIRONMENTS = {
    "engine.begin()": SYNC_ENV.replace("engine.connect()", "engine.begin()"),
    "no begin_transaction": SYNC_ENV.replace(
        "        with context.begin_transaction():\n            context.run_migrations()\n\n",
        "        context.run_migrations()\n\n",
    ),
    "autobegun before": SYNC_ENV.replace(
        "as connection:\n", 'as connection:\n        connection.exec_driver_sql("SET search_path = public")\n'
    ),
}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_way_to_write_env_py_is_committed_per_revision(place: Place, env: str) -> None:
    assert ENVIRONMENTS[env] != SYNC_ENV
    broken = Script("c3", "b2", 'raise ValueError("no")')
    migrator = place.project(BOOKINGS, STATUS, broken, env=ENVIRONMENTS[env])
    with pytest.raises(MigrationFailed) as caught:
        migrator.run(path_of(BOOKINGS, STATUS, broken), limits=QUICK)
    assert caught.value.committed == ("a1", "b2")
    assert place.stamp() == [("b2",)]


def test_autocommit_engines_are_refused(place: Place) -> None:
    env = SYNC_ENV.replace("poolclass=", 'isolation_level="AUTOCOMMIT", poolclass=')
    with pytest.raises(ProjectError, match="AUTOCOMMIT"):
        place.run_c3("pass", env=env)


PRAGMA_ON_CONNECT = """
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "connect")
def foreign_keys(connection, record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
"""


def test_a_sqlite_project_runs_its_whole_history_on_postgresql(place: Place) -> None:
    for style, url in (("sync", "sqlite:///local.db"), ("async", "sqlite+aiosqlite:///local.db")):
        folder = make_project(place.folder / style, url=url, env=PRAGMA_ON_CONNECT + ENVIRONMENTS_BY_STYLE[style])
        migrator = AlembicMigrator(folder)
        migrator.describe()
        on = place.server.clone()
        outcome = migrator.run(path_of(BOOKINGS, STATUS), on=on, limits=QUICK)
        assert [run.revision for run in outcome.runs] == ["a1", "b2"]
        assert place.stamp(on) == [("b2",)]
        assert not (folder / "local.db").exists()
        place.server.drop(on.database)


@two_drivers
def test_a_wrong_password_is_never_shown(place: Place, driver: str) -> None:
    address = dataclasses.replace(place.address, password="s3cret-word")
    one = f"postgresql+{driver.partition('-')[0]}://{address.user}:s3cret-word@{address.host}:{address.port}/x"
    make_project(place.folder, style=DRIVERS[driver], url=one)
    with pytest.raises(DatabaseUnavailable, match=f"no connection to postgresql://{address.user}@") as caught:
        AlembicMigrator(place.folder).describe()
    texts = (caught.value.message, caught.value.why, caught.value.hint)
    assert not any("s3cret" in text for text in texts)
    assert "password" in caught.value.why


def test_an_unreachable_server(tmp_path: Path) -> None:
    make_project(tmp_path, url="postgresql+psycopg://me:pw@127.0.0.1:1/x")
    with pytest.raises(DatabaseUnavailable, match=r"no connection to postgresql://me@127\.0\.0\.1:1/x"):
        AlembicMigrator(tmp_path).describe()
