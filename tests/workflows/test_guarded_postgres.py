"""The guarded run in this process on real PostgreSQL servers: what rehearsal and proof let through, refuse and say."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import BinaryIO, cast

import pytest

from handrail.databases.database import Database
from handrail.databases.postgres.lifecycle import new_name
from handrail.errors import BroughtBack, HandrailError, RehearsalFailed
from handrail.facts import DatabaseAddress
from handrail.wiring import open_project
from handrail.workflows.run import Equipment, Listener, Progress
from handrail.workflows.upgrade import Outcome, Request, guarded_run
from support.postgres import PostgresServer
from support.projects import Script, make_project, write_script
from support.runs import left_open

ONLY_NEWEST_SERVER = True

CREATE = [
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1')",
    "CREATE TABLE users (id SERIAL PRIMARY KEY, name TEXT)",
    "CREATE TABLE bookings (id SERIAL PRIMARY KEY, topic TEXT NOT NULL, seats INTEGER, user_id INTEGER,"
    " CONSTRAINT topic_given CHECK (topic <> ''))",
    "INSERT INTO users (name) VALUES ('가람'), ('나리')",
    "INSERT INTO bookings (topic, seats, user_id) VALUES ('파이썬 학습', -1, 1), ('API 개발', 2, 99)",
]
START = Script("a1", None)


class Bench:
    """A project whose database is at a1, and runs on it. The first script creates nothing: the tables are there."""

    def __init__(self, folder: Path, server: PostgresServer, address: DatabaseAddress) -> None:
        self.server, self.address = server, address
        server.execute(address, CREATE)
        where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        self.folder = make_project(folder, url=f"postgresql+psycopg://{where}", revisions=(START,))
        self.said: list[Progress] = []

    def put(self, upgrade: str, *, id_: str = "b2", down: str = "a1", head: str = "", downgrade: str = "pass") -> None:
        write_script(self.folder, Script(id_, down, upgrade, downgrade, head=head))

    def equipment(self) -> Equipment:
        project = open_project(self.folder, None)
        return project.equipment(project.migrator.describe())

    def run(self, target: str = "head", listener: Listener | None = None) -> Outcome:
        project = open_project(self.folder, None)
        facts = project.migrator.describe(target)
        assert facts.path is not None
        return guarded_run(
            project.equipment(facts), Request("upgrade", facts.path, facts), listener or self.said.append
        )

    def notes(self) -> tuple[str, ...]:
        proof = self.run().proof
        assert proof is not None
        assert proof.failures == ()
        return proof.notes

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.server.connect(self.address) as connection:
            return connection.execute(sql.encode()).fetchall()

    def stamp(self) -> object:
        return self.rows("SELECT version_num FROM alembic_version")[0][0]


@pytest.fixture
def bench(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Bench]:
    address = postgres_server.clone()
    yield Bench(tmp_path, postgres_server, address)
    postgres_server.drop(address.database)


def test_a_new_unchecked_constraint_is_let_through_and_said_then_validated(bench: Bench) -> None:
    bench.put(
        """
        op.execute("ALTER TABLE bookings ADD CONSTRAINT seats_positive CHECK (seats > 0) NOT VALID")
        op.create_foreign_key("booker", "bookings", "users", ["user_id"], ["id"], postgresql_not_valid=True)
        op.create_check_constraint("topic_short", "bookings", "length(topic) < 9", postgresql_not_valid=True)
        """
    )
    said = "on bookings checks new rows only; VALIDATE CONSTRAINT in a later revision"
    names = ("booker", "seats_positive", "topic_short")
    assert bench.notes() == tuple(f"constraint {name} {said}" for name in names)
    bench.put('op.add_column("users", sa.Column("note", sa.Text()))', id_="c3", down="b2")
    assert bench.notes() == ()
    bench.server.execute(bench.address, ["UPDATE bookings SET seats = 1, user_id = 1"])
    bench.put(
        """
        op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT seats_positive")
        op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT booker")
        """,
        id_="d4",
        down="c3",
    )
    assert bench.notes() == ()
    assert bench.rows("SELECT conname::text FROM pg_constraint WHERE NOT convalidated") == [("topic_short",)]


def test_not_null_may_be_unchecked_first_where_the_server_knows_it(bench: Bench) -> None:
    bench.put('op.execute("ALTER TABLE bookings ADD CONSTRAINT seated NOT NULL seats NOT VALID")')
    if bench.server.version < 18:
        with pytest.raises(RehearsalFailed, match="the rehearsal failed"):
            bench.run()
        return
    assert bench.notes() == (
        "constraint seated on bookings checks new rows only; VALIDATE CONSTRAINT in a later revision",
    )
    bench.put('op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT seated")', id_="c3", down="b2")
    assert bench.notes() == ()
    assert bench.rows("SELECT convalidated FROM pg_constraint WHERE conname = 'seated'") == [(True,)]


def test_a_constraint_that_is_checked_no_more_is_refused(bench: Bench) -> None:
    bench.put(
        """
        op.execute("ALTER TABLE bookings DROP CONSTRAINT topic_given")
        op.execute("ALTER TABLE bookings ADD CONSTRAINT topic_given CHECK (topic <> '') NOT VALID")
        """
    )
    with pytest.raises(RehearsalFailed) as caught:
        bench.run()
    assert caught.value.why == (
        "bookings: changed though not declared (exact, 2 rows): constraint topic_given is not valid any more"
    )
    assert bench.stamp() == "a1"


ADD = 'op.add_column("bookings", sa.Column("status", sa.String(50), nullable=False, server_default="SCHEDULED"))'
HALF = "UPDATE bookings SET status = 'X' WHERE id = 1"
NOT_FILLED = "bookings: changed though not declared (exact, 2 rows): 1 row is not filled with the default of status"


def test_a_column_that_is_added_and_filled_otherwise_must_be_declared(bench: Bench) -> None:
    bench.put(f'{ADD}\nop.execute("{HALF}")')
    with pytest.raises(RehearsalFailed) as caught:
        bench.run()
    assert caught.value.why == NOT_FILLED
    bench.put(f'{ADD}\nop.execute("{HALF}")', head="# handrail: changes bookings.status")
    bench.run()
    assert bench.rows("SELECT status FROM bookings ORDER BY id") == [("X",), ("SCHEDULED",)]


def only_live(bench: Bench, statement: str) -> str:
    """A script that does on the live database what it did not on the copy."""
    return f"""
    if op.get_bind().exec_driver_sql("SELECT current_database()").scalar() == "{bench.address.database}":
        op.execute("{statement}")
    """


def test_the_locked_table_is_measured_inside_the_transaction(bench: Bench) -> None:
    bench.put(f"{ADD}\n{dedent(only_live(bench, HALF)).strip()}")
    with pytest.raises(BroughtBack) as caught:
        bench.run()
    assert caught.value.why.startswith(f"{NOT_FILLED}. The database was brought back: the transaction was rolled back")
    assert bench.stamp() == "a1"


WRITTEN = "users: changed though not declared: rows that the script itself wrote: 1 updated"


def test_an_undeclared_write_to_a_table_that_is_not_locked_fails_before_the_commit(bench: Bench) -> None:
    bench.put(only_live(bench, "UPDATE users SET name = 'x' WHERE id = 1"))
    with pytest.raises(BroughtBack) as caught:
        bench.run()
    assert caught.value.why.startswith(f"{WRITTEN}. The database was brought back: the transaction was rolled back")
    assert (bench.stamp(), bench.rows("SELECT name FROM users WHERE id = 1")) == ("a1", [("가람",)])


def test_a_write_that_changes_no_value_must_be_declared_before_it_can_be_applied(bench: Bench) -> None:
    bench.put("op.execute('UPDATE users SET name = trim(name) WHERE id > 0')")
    with pytest.raises(RehearsalFailed) as caught:
        bench.run()
    assert caught.value.why == (
        "users: changed though not declared (exact, 2 rows): rows that the script itself wrote: 2 updated"
    )
    assert caught.value.hint.endswith("the comment line: # handrail: changes users.name")


def test_a_table_rewrite_is_no_write(bench: Bench) -> None:
    bench.put(
        """
        op.alter_column("users", "id", type_=sa.BigInteger(), existing_type=sa.Integer())
        op.add_column("users", sa.Column("at", sa.DateTime(), server_default=sa.text("clock_timestamp()")))
        """
    )
    proof = bench.run().proof
    assert proof is not None
    assert proof.failures == ()


class Ended(io.RawIOBase):
    """A dump during whose reading `recover` ends what this run has left, as if its process were dead."""

    def __init__(self, database: Database, run_id: str) -> None:
        super().__init__()
        self.database, self.run_id = database, run_id
        self.ended: tuple[str, ...] = ()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        self.ended = self.database.end_leftovers(self.run_id)
        return 0


def test_the_sessions_of_a_killed_replace_are_found_by_the_id_of_its_run(bench: Bench) -> None:
    kit = bench.equipment()
    run = left_open(kit, bench.said.append, "upgrade", {})
    source = Ended(kit.database, run.id)
    with pytest.raises(HandrailError):
        run.equipment.database.replace(cast(BinaryIO, io.BufferedReader(source)), aside=f"failed_{run.id}")
    sessions = [line for line in source.ended if line.startswith("session pid")]
    assert len(sessions) >= 1
    assert [line for line in source.ended if line.startswith("database ")] == [
        f"database {new_name(bench.address.database, f'failed_{run.id}')}"
    ]
    assert kit.database.end_leftovers(run.id) == ()
    assert bench.stamp() == "a1"


@pytest.mark.story
def test_a_write_of_another_session_that_is_not_counted_yet_is_not_blamed_on_the_script(bench: Bench) -> None:
    """Two quick writes after the backup: the server's statistics know of the second one only seconds later."""
    bench.put('op.add_column("bookings", sa.Column("note", sa.Text()))')
    with bench.server.connect(bench.address) as other:

        def listen(event: Progress) -> None:
            if (event.step, event.state) == ("prove", "started"):
                other.execute("UPDATE bookings SET seats = 7 WHERE id = 1")
                other.execute("INSERT INTO users (name) VALUES ('다솜')")

        outcome = bench.run(listener=listen)
    assert outcome.proof is not None
    assert [table.details for table in outcome.proof.tables] == [
        ("added note", "proven inside the transaction"),
        ("others inserted 1, updated 0, deleted 0 meanwhile",),
    ]
