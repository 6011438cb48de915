"""The PostgreSQL guard inside the migrating process: by psycopg, by asyncpg, in and outside a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pytest

from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.postgres.quoting import identifier, literal
from handrail.databases.postgres.session import PostgresSessionGuard
from handrail.facts import (
    BrokenReference,
    ColumnCompleteness,
    DatabaseAddress,
    Fingerprint,
    HeldLock,
    ObjectKind,
    RowWrites,
    SchemaObject,
    TableName,
)
from support.postgres import PostgresServer

ODD = TableName('A "b" %s :c 한글')
ODD_SQL = '"A ""b"" %s :c 한글"'
THINGS = TableName("things")


@pytest.fixture
def address(postgres_server: PostgresServer) -> Iterator[DatabaseAddress]:
    address = postgres_server.clone()
    postgres_server.execute(
        address,
        [
            "CREATE TABLE alembic_version (version_num text)",
            "CREATE TABLE things (id serial PRIMARY KEY, note text, at timestamptz DEFAULT '2024-01-10 00:00+09')",
            "INSERT INTO things (note) VALUES ('a'), (NULL), ('')",
            f"CREATE TABLE {ODD_SQL} (a integer)",
        ],
    )
    yield address
    postgres_server.drop(address.database)


@pytest.fixture
def connection(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with postgres_server.connect(address) as connection:
        yield connection


def guard_on(connection: psycopg.Connection[tuple[object, ...]], **words: Any) -> PostgresSessionGuard:
    def query(sql: str, /) -> Sequence[Sequence[Any]]:
        cursor = connection.execute(sql.encode(), ())  # the empty parameters make psycopg read every percent sign
        return cursor.fetchall() if cursor.description else ()

    return PostgresSessionGuard(query, lock_timeout=0.1, **words)


def settings(connection: psycopg.Connection[tuple[object, ...]]) -> dict[object, object]:
    rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name <> 'transaction_read_only'").fetchall()
    return {row[0]: row[1] for row in rows}


def test_prepare_bounds_waits_and_names_the_session(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    before = settings(connection)
    guard_on(connection, statement_timeout=2.5, run_id="run-1").prepare()
    changed = {name: value for name, value in settings(connection).items() if before[name] != value}
    assert changed == {
        "application_name": "handrail:run-1",
        "lock_timeout": "100",
        "statement_timeout": "2500",
        "client_connection_check_interval": "1000",
    }


def test_readings_see_uncommitted_changes_and_leave_nothing(
    connection: psycopg.Connection[tuple[object, ...]], address: DatabaseAddress
) -> None:
    guard, database = guard_on(connection), PostgresDatabase(address)
    assert guard.fingerprint(None) == database.fingerprint()
    assert guard.facts().tables == database.facts().tables
    connection.execute("BEGIN")
    connection.execute("SET LOCAL TimeZone TO 'Asia/Seoul'")
    connection.execute("SET search_path TO public, pg_catalog")
    connection.execute("UPDATE things SET note = 'changed' WHERE id = 1")
    connection.execute("ALTER TABLE things ADD COLUMN status text NOT NULL DEFAULT 'S'")
    before, state = settings(connection), guard.state()
    inside, facts = guard.fingerprint({THINGS: (("id",), ("id", "note", "at"))}), guard.facts()
    assert settings(connection) == before
    assert guard.state() == state
    things = facts.table(THINGS)
    assert things is not None
    assert things.column_names() == ("id", "note", "at", "status")
    connection.execute("COMMIT")
    after = database.fingerprint({THINGS: (("id",), ("id", "note", "at"))})
    assert [table.table for table in inside.tables] == [THINGS]
    assert inside == replace(after, tables=tuple(table for table in after.tables if table.table == THINGS))
    assert settings(connection)["search_path"] == "public, pg_catalog"


def test_locks_and_rewrites_of_the_own_transaction_are_seen(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    guard = guard_on(connection)
    idle = guard.state()
    assert idle.locks == frozenset()
    assert set(idle.storage) == {THINGS, ODD}
    connection.execute("BEGIN")
    connection.execute("ALTER TABLE things ADD COLUMN b integer DEFAULT 1")
    cheap = guard.state()
    assert cheap.storage == idle.storage
    assert cheap.locks == {HeldLock(THINGS, "AccessExclusive")}
    connection.execute("ALTER TABLE things ALTER COLUMN id TYPE bigint")
    rewritten = guard.state()
    assert rewritten.storage[THINGS] != idle.storage[THINGS]
    assert rewritten.storage[ODD] == idle.storage[ODD]
    connection.execute(f"DROP TABLE {ODD_SQL}".encode())
    dropped = guard.state()
    assert HeldLock(ODD, "AccessExclusive") in dropped.locks
    assert set(dropped.storage) == {THINGS}
    connection.execute("ROLLBACK")
    assert guard.state() == idle


def test_lock_keeps_writers_out_and_lets_readers_in(
    connection: psycopg.Connection[tuple[object, ...]], postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    guard = guard_on(connection)
    connection.execute("BEGIN")
    guard.lock([HeldLock(THINGS, "ShareRowExclusive"), HeldLock(ODD, "Share")])
    assert guard.state().locks == {HeldLock(THINGS, "ShareRowExclusive"), HeldLock(ODD, "ShareRowExclusive")}
    with postgres_server.connect(address) as other:
        other.execute("SET lock_timeout = '20ms'")
        assert other.execute("SELECT count(*) FROM things").fetchone() == (3,)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("DELETE FROM things")
    connection.execute("ROLLBACK")


@pytest.mark.parametrize("mode", ["Exclusive", "AccessExclusive"])
def test_stronger_locks_are_taken_as_asked(connection: psycopg.Connection[tuple[object, ...]], mode: str) -> None:
    guard = guard_on(connection)
    connection.execute("BEGIN")
    guard.lock([HeldLock(ODD, mode)])
    assert guard.state().locks == {HeldLock(ODD, mode)}
    with pytest.raises(KeyError):
        guard.lock([HeldLock(THINGS, "RowExclusive")])
    connection.execute("ROLLBACK")


def test_what_was_never_checked_is_told_by_the_facts(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    guard = guard_on(connection)
    connection.execute("ALTER TABLE things ADD CONSTRAINT late CHECK (note <> 'a') NOT VALID")
    connection.execute("INSERT INTO things (note) VALUES ('b'), ('b')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY once ON things (note)")
    late = SchemaObject(ObjectKind.CONSTRAINT, "late", THINGS, "CHECK ((note <> 'a'::text))", is_valid=False)
    assert [thing for thing in guard.facts().objects if not thing.is_valid] == [
        late,
        SchemaObject(
            ObjectKind.INDEX, "once", THINGS, "CREATE UNIQUE INDEX once ON public.things USING btree (note)", False
        ),
    ]
    assert guard.broken_references() == ()
    connection.execute("UPDATE things SET note = 'c' WHERE note = 'a'")
    connection.execute("ALTER TABLE things VALIDATE CONSTRAINT late")
    assert replace(late, is_valid=True) in guard.facts().objects


def test_added_columns_of_every_kind_are_measured(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Types that cannot be compared (json), a type with an odd name, volatile defaults, a partitioned table."""
    connection.execute(b"CREATE TYPE \"Odd Kind\" AS ENUM ('A', 'B')")
    connection.execute(b"CREATE TABLE parts (a integer) PARTITION BY LIST (a)")
    connection.execute(b"CREATE TABLE part PARTITION OF parts DEFAULT")
    connection.execute(b"INSERT INTO parts VALUES (1)")
    columns = {
        "j": 'json DEFAULT \'{"a": "100%"}\'',
        "kind": "\"Odd Kind\" DEFAULT 'A'",
        "tags": "text[] DEFAULT '{}'",
        "c": "char(5) NOT NULL DEFAULT 'ab'",
        "f": "double precision DEFAULT 0",
        "moment": "timestamptz DEFAULT now()",
        "number": "serial",
        "twice": "integer GENERATED ALWAYS AS (id * 2) STORED",
    }
    for name, text in columns.items():
        connection.execute(f"ALTER TABLE things ADD COLUMN {name} {text}".encode())
    connection.execute(b"ALTER TABLE parts ADD COLUMN c text DEFAULT 'x'")
    guard = guard_on(connection)
    request = {THINGS: tuple(columns), TableName("parts"): ("c",), TableName("part"): ("c",)}
    constant = [ColumnCompleteness(THINGS, name, 3, 0, 0) for name in ("j", "kind", "tags", "c", "f")]
    others = [ColumnCompleteness(THINGS, name, 3, 0, None) for name in ("moment", "number", "twice")]
    parts = (ColumnCompleteness(TableName("part"), "c", 1, 0, 0), ColumnCompleteness(TableName("parts"), "c", 0, 0, 0))
    assert guard.completeness(request) == (*parts, *constant, *others)
    connection.execute(b"UPDATE things SET j = '{}', kind = 'B', tags = '{a}', c = 'abc', f = '-0', moment = NULL")
    changed = [replace(one, not_default=3) for one in constant]
    assert guard.completeness({THINGS: tuple(columns)}) == (*changed, replace(others[0], nulls=3), *others[1:])


def test_own_writes_are_counted_and_rewrites_are_not(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    guard = guard_on(connection)
    connection.execute("INSERT INTO things (note) VALUES ('earlier')")
    guard.writes()
    connection.execute("BEGIN")
    assert guard.writes() == ()
    for statement in (
        "ALTER TABLE things ALTER id TYPE bigint, ADD unique_id uuid DEFAULT gen_random_uuid()",
        "CREATE INDEX ON things (note)",
        "UPDATE alembic_version SET version_num = 'x'",
        "UPDATE things SET note = note WHERE note = 'nowhere'",
    ):
        connection.execute(statement.encode())
    assert guard.writes() == ()
    connection.execute("UPDATE things SET note = note WHERE note = ''")
    connection.execute("DELETE FROM things WHERE note IS NULL")
    connection.execute("ALTER TABLE things RENAME TO renamed")
    connection.execute(f"INSERT INTO {ODD_SQL} VALUES (1), (2)".encode())
    expected = (RowWrites(ODD, 2, 0, 0), RowWrites(TableName("renamed"), 0, 1, 1))
    assert guard.writes() == expected
    assert guard.writes() == ()
    connection.execute("ROLLBACK")


def test_an_error_in_a_reading_leaves_the_transaction_usable(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    guard = guard_on(connection)
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE hidden (a integer)")
    connection.execute("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    connection.execute("CREATE ROLE nobody_special")
    connection.execute("GRANT USAGE, CREATE ON SCHEMA public TO nobody_special")
    connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO nobody_special")
    connection.execute("SET LOCAL ROLE nobody_special")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        guard.fingerprint(None)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.execute("ROLLBACK")


class Seen(NamedTuple):
    """What a guard reports, each by its own reading."""

    fingerprint: Fingerprint
    objects: tuple[SchemaObject, ...]
    stored: frozenset[TableName]
    broken: tuple[BrokenReference, ...]


def read_all(guard: PostgresSessionGuard) -> Seen:
    guard.prepare()
    fingerprint, stored = guard.fingerprint(None), frozenset(guard.state().storage)
    return Seen(fingerprint, guard.facts().objects, stored, guard.broken_references())


async def by_asyncpg(address: DatabaseAddress) -> Seen:
    """Outside a transaction, where every statement of asyncpg stands alone."""
    where = {"host": address.host, "port": address.port, "database": address.database}
    connection = await asyncpg.connect(**where, user=address.user, password=address.password)
    loop = asyncio.get_running_loop()

    def query(sql: str, /) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = asyncio.run_coroutine_threadsafe(connection.fetch(sql), loop).result()
        return rows

    try:
        return await asyncio.to_thread(read_all, PostgresSessionGuard(query, lock_timeout=0.1))
    finally:
        await connection.close()


def test_asyncpg_serves_as_well(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    database = PostgresDatabase(address)
    assert asyncio.run(by_asyncpg(address)) == Seen(
        database.fingerprint(), database.facts().objects, frozenset({THINGS, ODD}), ()
    )


@pytest.mark.parametrize("name", ["a", 'a"b', "a'b", "%s %(x)s %", "back\\slash", 'U&"', "한글 🍮", " ", ":a"])
def test_names_and_values_survive_quoting(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    for conforming in ("on", "off"):
        connection.execute(f"SET standard_conforming_strings TO {conforming}".encode())
        connection.execute(b"SET escape_string_warning TO off")
        if conforming == "off" and "%" in name:
            continue  # U& identifiers need the setting, which `reading.SETTINGS` fixes
        text = f"SELECT {literal(name)}::text AS {identifier(name)}"
        assert "%" not in text
        cursor = connection.execute(text.encode(), ())
        assert cursor.description is not None
        assert (cursor.description[0].name, cursor.fetchone()) == (name, (name,))


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        identifier("a\0b")
    with pytest.raises(ValueError, match="NUL"):
        literal("\0")
