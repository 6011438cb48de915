"""Measures what the lock rules say: how long a reader and a writer wait while a table of millions of rows is changed.

For each rule the statements that it warns of and those that it offers run on the same table, on a copy of their own; a
reader (`SELECT` of one row) and a writer (`UPDATE` of one row) knock all the time in sessions of their own, and the
longest of their waits is the harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from bench.measuring import Figure

from handrail.databases.postgres.binaries import find_server_binaries
from handrail.databases.postgres.cluster import ThrowawayCluster

_ROOMS = 1000
_TABLES = f"""
CREATE TABLE rooms (id integer PRIMARY KEY, name text);
INSERT INTO rooms SELECT n, 'room ' || n FROM generate_series(1, {_ROOMS}) n;
CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(200), email text, seats integer, room_id integer,
  price numeric(10, 2), note text);
INSERT INTO bookings SELECT n, 'topic ' || n % 977, 'user' || n || '@example.com', n % 30, n % {_ROOMS} + 1,
  n % 9000 / 7.0, repeat('x', 40) FROM generate_series(1, {{rows}}) n;
CREATE INDEX ix_bookings_room ON bookings (room_id);
CREATE TABLE small (id integer PRIMARY KEY, name text);
INSERT INTO small SELECT n, 'x' FROM generate_series(1, 1000) n;
"""
_NOT_VALID = "ALTER TABLE bookings ADD CONSTRAINT ck CHECK ({}) NOT VALID"
_VALIDATE = "ALTER TABLE bookings VALIDATE CONSTRAINT ck"
_FILL = "UPDATE bookings SET floor = 1"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A rule's code, what is done, and the transactions of the way that it warns of and of the one that it offers;
    `table` is the one that reader and writer ask for."""

    rule: str
    what: str
    bad: Sequence[Sequence[str]]
    good: Sequence[Sequence[str]] = ()
    table: str = "bookings"


def _batches(rows: int, size: int = 20_000) -> list[list[str]]:
    ranges = range(1, rows + 1, size)
    return [[f"{_FILL} WHERE id >= {first} AND id < {first + size}"] for first in ranges]


def recipes(rows: int) -> list[Recipe]:
    """All that are measured. A transaction of one statement that begins with "!" runs outside of any."""
    add_floor = "ALTER TABLE bookings ADD COLUMN floor integer"
    not_null = [
        [_NOT_VALID.format("email IS NOT NULL")],
        [_VALIDATE],
        ["ALTER TABLE bookings ALTER COLUMN email SET NOT NULL", "ALTER TABLE bookings DROP CONSTRAINT ck"],
    ]
    key = "ALTER TABLE bookings ADD CONSTRAINT fk FOREIGN KEY (room_id) REFERENCES rooms"
    return [
        Recipe("HR-LK101", "an index is made", [["CREATE INDEX ix ON bookings (email)"]],
               [["!CREATE INDEX CONCURRENTLY ix ON bookings (email)"]]),
        Recipe("HR-LK104", "an index is dropped", [["DROP INDEX ix_bookings_room"]],
               [["!DROP INDEX CONCURRENTLY ix_bookings_room"]]),
        Recipe("HR-LK106", "SET NOT NULL", [["ALTER TABLE bookings ALTER COLUMN email SET NOT NULL"]], not_null),
        Recipe("HR-LK107", "integer becomes bigint", [["ALTER TABLE bookings ALTER COLUMN seats TYPE bigint"]]),
        Recipe("HR-LK107", "a varchar becomes shorter / wider",
               [["ALTER TABLE bookings ALTER COLUMN topic TYPE varchar(100)"]],
               [["ALTER TABLE bookings ALTER COLUMN topic TYPE varchar(300)"]]),
        Recipe("HR-LK108", "a foreign key is added", [[key]],
               [[f"{key} NOT VALID"], ["ALTER TABLE bookings VALIDATE CONSTRAINT fk"]]),
        Recipe("HR-LK108", "the same, for the other table", [[key]],
               [[f"{key} NOT VALID"], ["ALTER TABLE bookings VALIDATE CONSTRAINT fk"]], table="rooms"),
        Recipe("HR-LK109", "a CHECK is added", [["ALTER TABLE bookings ADD CONSTRAINT ck CHECK (seats >= 0)"]],
               [[_NOT_VALID.format("seats >= 0")], [_VALIDATE]]),
        Recipe("HR-LK110", "a unique constraint is added", [["ALTER TABLE bookings ADD CONSTRAINT uq UNIQUE (email)"]],
               [["!CREATE UNIQUE INDEX CONCURRENTLY uq ON bookings (email)"],
                ["ALTER TABLE bookings ADD CONSTRAINT uq UNIQUE USING INDEX uq"]]),
        Recipe("HR-LK102", "a serial column is added", [["ALTER TABLE bookings ADD COLUMN number serial"]]),
        Recipe("HR-DD102", "a column with a default of each row / of a constant",
               [["ALTER TABLE bookings ADD COLUMN mark double precision DEFAULT random() NOT NULL"]],
               [["ALTER TABLE bookings ADD COLUMN mark double precision DEFAULT 0 NOT NULL"]]),
        Recipe("HR-LK103", "a stored generated column is added",
               [["ALTER TABLE bookings ADD COLUMN twice integer GENERATED ALWAYS AS (seats * 2) STORED"]]),
        Recipe("HR-TX103", "added, filled and made NOT NULL at once / in batches",
               [[add_floor, _FILL, "ALTER TABLE bookings ALTER COLUMN floor SET NOT NULL"]],
               [[add_floor], *_batches(rows), [_NOT_VALID.format("floor IS NOT NULL")], [_VALIDATE],
                ["ALTER TABLE bookings ALTER COLUMN floor SET NOT NULL"]]),
        Recipe("HR-LK113", "a column for a small table, then work on the large one / apart",
               [["ALTER TABLE small ADD COLUMN a integer", "UPDATE bookings SET note = 'y' WHERE id % 4 = 0"]],
               [["ALTER TABLE small ADD COLUMN a integer"], ["UPDATE bookings SET note = 'y' WHERE id % 4 = 0"]],
               table="small"),
        Recipe("HR-LK113", "NOT VALID and VALIDATE in one transaction / in two",
               [[_NOT_VALID.format("seats >= 0"), _VALIDATE]], [[_NOT_VALID.format("seats >= 0")], [_VALIDATE]]),
    ]  # fmt: skip


@dataclass(slots=True)
class _Knocking:
    """A session that asks again and again, and keeps its longest wait in seconds."""

    where: str
    sql: str
    longest: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)
    ready: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with psycopg.connect(self.where, autocommit=True) as connection:
            connection.execute(self.sql.encode())
            self.ready.set()
            while not self.stop.wait(0.001):
                started = time.monotonic()
                connection.execute(self.sql.encode())
                self.longest = max(self.longest, time.monotonic() - started)


@contextmanager
def knocking(where: str, *sqls: str) -> Iterator[list[_Knocking]]:
    """A session for each statement that asks all the time, in a thread of its own, as long as the block lasts."""
    found = [_Knocking(where, sql) for sql in sqls]
    threads = [threading.Thread(target=one.run) for one in found]
    for thread in threads:
        thread.start()
    for one in found:
        one.ready.wait()
    try:
        yield found
    finally:
        for one in found:
            one.stop.set()
        for thread in threads:
            thread.join()


def waits(where: str, table: str, transactions: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Seconds of the whole change, and the longest wait of a reader and of a writer meanwhile."""
    key = "id" if table == "rooms" else "name" if table == "small" else "note"
    reader, writer = f"SELECT * FROM {table} WHERE id = 7", f"UPDATE {table} SET {key} = {key} WHERE id = 8"
    with psycopg.connect(where, autocommit=True) as connection, knocking(where, reader, writer) as found:
        started = time.monotonic()
        for statements in transactions:
            if statements[0].startswith("!"):
                connection.execute(statements[0][1:].encode())
                continue
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement.encode())
        seconds = time.monotonic() - started
    return seconds, found[0].longest, found[1].longest


def measure_waiting(rows: int) -> Iterator[Figure]:
    """One line for each recipe; a remark when there is no server."""
    binaries = find_server_binaries()
    if not binaries:
        yield Figure("waits under locks", "not measured: no server programs at hand")
        return
    with ThrowawayCluster(binaries[-1], settings=("max_wal_size=8GB", "shared_buffers=1GB")) as cluster:
        address = cluster.address
        where = f"host={address.host} port={address.port} user={address.user} password={address.password} dbname="
        with psycopg.connect(where + address.database, autocommit=True) as connection:
            connection.execute(b"CREATE DATABASE made")
        with psycopg.connect(f"{where}made", autocommit=True) as connection:
            connection.execute(_TABLES.format(rows=rows).encode())
            connection.execute(b"VACUUM ANALYZE")
        for recipe in recipes(rows):
            bad = _on_a_copy(where, address.database, recipe.table, recipe.bad)
            good = _on_a_copy(where, address.database, recipe.table, recipe.good) if recipe.good else None
            yield _figure(recipe, bad, good, f"PostgreSQL {binaries[-1].version}, {rows:,} rows")


def _on_a_copy(
    where: str, database: str, table: str, transactions: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    with psycopg.connect(where + database, autocommit=True) as connection:
        connection.execute(b"CREATE DATABASE tried TEMPLATE made STRATEGY file_copy")
        try:
            with psycopg.connect(f"{where}tried", autocommit=True) as reading:
                reading.execute(b"SELECT count(*), max(note) FROM bookings")  # into the cache
            return waits(f"{where}tried", table, transactions)
        finally:
            connection.execute(b"DROP DATABASE tried WITH (FORCE)")


def _figure(
    recipe: Recipe, bad: tuple[float, float, float], good: tuple[float, float, float] | None, where: str
) -> Figure:
    told = f"reader {bad[1]:.2f} s, writer {bad[2]:.2f} s"
    ratio = None
    if good is not None:
        told += f" / {good[1]:.2f}, {good[2]:.2f}"
        ratio = max(good[1:]) / max(bad[1:])
    name = f"{recipe.rule} {recipe.what}"
    details = {"bad": bad, "good": good}
    return Figure(name, told, ratio, limit=f"{where}; longest wait, as warned of / as offered", details=details)
