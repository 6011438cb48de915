"""Generated schemas, with rows of every type, through every way to back a database up: what comes back is the same.

HANDRAIL_ROUND_TRIPS says how many databases of each engine (a few in `make test`). What is compared beside handrail's own
fingerprint is read by SQL of the test's own.
"""

from __future__ import annotations

import io
import itertools
import os
import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from handrail.backups.methods import WAYS, Method, request_of
from handrail.backups.verification import compare_restored
from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
ROUND_TRIPS = int(os.environ.get("HANDRAIL_ROUND_TRIPS", "4"))
GENERATED = settings(
    max_examples=ROUND_TRIPS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=15)
WORDS = st.text("abc xyzé", max_size=12)


def number(bits: int) -> st.SearchStrategy[str]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).map(str)


def array(text: list[str | None]) -> str:
    """As PostgreSQL writes a text[]."""
    quoted = ("NULL" if one is None else '"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in text)
    return "{" + ",".join(quoted) + "}"


MOMENTS = st.datetimes().map(str) | st.sampled_from(["infinity", "-infinity", "2000-01-01 BC"])
FLOATS = st.floats(width=64).map(repr) | st.sampled_from(["NaN", "Infinity", "-Infinity", "-0"])
#: Each type of PostgreSQL with texts of its values.
POSTGRES: dict[str, st.SearchStrategy[str]] = {
    "smallint": number(16),
    "integer": number(32),
    "bigint": number(64),
    "numeric": st.decimals(allow_infinity=False).map(lambda one: "NaN" if one.is_nan() else format(one, "f")[:900]),
    "numeric(12,3)": st.decimals(-(10**8), 10**8, places=3).map(str),
    "real": st.floats(width=32).map(repr),
    "double precision": FLOATS,
    "text": TEXT,
    "varchar(30)": TEXT,
    "char(25)": TEXT,
    '"char"': st.sampled_from(["a", "~", ""]),
    "name": WORDS,
    "bytea": st.binary(max_size=40).map(lambda one: "\\x" + one.hex()),
    "boolean": st.sampled_from(["t", "f"]),
    "date": st.dates().map(str) | st.sampled_from(["infinity", "0044-03-15 BC"]),
    "time(3)": st.times().map(str),
    "timetz": st.times().map(lambda one: f"{one}+05:30"),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS,
    "interval": st.tuples(st.integers(-999, 999), st.integers(-99, 99)).map(lambda one: f"{one[0]} mons {one[1]} secs"),
    "uuid": st.uuids().map(str),
    "json": st.sampled_from(['{"b": 1, "a":  [null, "\\u00e9"]}', "[]", '"x"', "null"]),
    "jsonb": st.sampled_from(['{"b": 1, "a": [null, 2.50]}', "[]", '"x"', "null"]),
    "xml": st.sampled_from(["<a>b</a>", "text only"]),
    "inet": st.ip_addresses().map(str),
    "cidr": st.ip_addresses(v=4).map(str),
    "macaddr": st.sampled_from(["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"]),
    "bit(5)": st.text("01", min_size=5, max_size=5),
    "bit varying": st.text("01", max_size=9),
    "point": st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(lambda one: f"({one[0]!r},{one[1]!r})"),
    "box": st.sampled_from(["(1,2),(0,0)", "(0.1,0.2),(-3,-4)"]),
    "path": st.sampled_from(["[(0,0),(1,1)]", "((0,0),(1,2),(3,0))"]),
    "tsvector": WORDS,
    "int4range": st.sampled_from(["[1,5)", "empty", "(,3]", "[2,)"]),
    "int8multirange": st.sampled_from(["{}", "{[1,3),[5,)}"]),
    "integer[]": st.lists(st.integers(-9, 9), max_size=4).map(lambda one: "{" + ",".join(map(str, one)) + "}"),
    "text[]": st.lists(st.none() | TEXT, max_size=3).map(array),
    "money": st.integers(-999, 999).map(lambda one: f"{one}.05"),
    "mood": st.sampled_from(["sad", "o'k", "행복"]),
    "positive": st.integers(1, 99).map(str),
    "pair": st.tuples(st.integers(0, 9), WORDS).map(lambda one: f'({one[0]},"{one[1]}")'),
    "oid": st.integers(0, 2**31).map(str),
}
OWN_TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'o''k', '행복')",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    "CREATE TYPE pair AS (n integer, word text)",
)


@dataclass(frozen=True)
class Table:
    """Its columns are c0, c1 …; each row has a text or None for each."""

    name: str
    types: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@st.composite
def tables(draw: st.DrawFn) -> list[Table]:
    made = []
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=lambda one: one.casefold()))
    for name in names:
        types = tuple(draw(st.lists(st.sampled_from(sorted(POSTGRES)), max_size=8)))
        row = st.tuples(*(st.none() | POSTGRES[one] for one in types))
        made.append(Table(name, types, tuple(draw(st.lists(row, max_size=6)))))
    return made


def fill(connection: psycopg.Connection[tuple[object, ...]], made: Sequence[Table]) -> None:
    for statement in OWN_TYPES:
        connection.execute(statement.encode())
    for table in made:
        name = sql.Identifier(table.name)
        columns = sql.SQL("").join(
            sql.SQL(", {} {}").format(sql.Identifier(f"c{at}"), sql.SQL(type_)) for at, type_ in enumerate(table.types)
        )
        connection.execute(sql.SQL("CREATE TABLE {} (id serial PRIMARY KEY{})").format(name, columns))
        for row in table.rows:
            names = [sql.Identifier("id"), *(sql.Identifier(f"c{at}") for at in range(len(row)))]
            values = [sql.SQL("DEFAULT"), *(sql.Literal(value) for value in row)]
            insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
            connection.execute(insert.format(name, sql.SQL(", ").join(names), sql.SQL(", ").join(values)))


def texts(server: PostgresServer, address: DatabaseAddress, made: Sequence[Table]) -> list[object]:
    """Every row, as COPY writes it, and where each sequence stands."""
    found: list[object] = []
    with server.connect(address) as connection, connection.cursor() as cursor:
        for table in made:
            query = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT").format(sql.Identifier(table.name))
            with cursor.copy(query) as copy:
                found.append(b"".join(bytes(piece) for piece in copy))
        sequences = "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
        found.append(connection.execute(sequences).fetchall())
    return found


@GENERATED
@given(made=tables())
def test_postgresql(postgres_server: PostgresServer, made: list[Table]) -> None:
    round_trip(postgres_server, made)


@settings(GENERATED, max_examples=1)
@given(rows=st.tuples(*(st.lists(values, min_size=3, max_size=3) for values in POSTGRES.values())))
def test_every_type_of_postgresql(postgres_server: PostgresServer, rows: tuple[list[str], ...]) -> None:
    """Three values of each, beside NULL."""
    round_trip(
        postgres_server,
        [
            Table(f"of {one}", (one,), ((None,), *((value,) for value in values)))
            for one, values in zip(POSTGRES, rows, strict=True)
        ],
    )


def round_trip(server: PostgresServer, made: Sequence[Table]) -> None:
    address = server.clone()
    try:
        with server.connect(address) as connection:
            fill(connection, made)
        expected = texts(server, address, made)
        database = PostgresDatabase(address)
        for way in (one for one in WAYS["postgresql"] if one.may_be_partial):
            out, request = io.BytesIO(), request_of(way)
            report = database.dump(out, request)
            out.seek(0)
            with database.scratch(f"trip_{way.method}", request) as copy:
                copy.load(out, request)
                assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
                assert texts(server, copy.address, made) == expected
    finally:
        server.drop(address.database)


# --- SQLite ---------------------------------------------------------------------------------------------------------

VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0])
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=30)
)
DECLARED = (
    "",
    "INTEGER",
    "REAL",
    "TEXT",
    "BLOB",
    "NUMERIC",
    "VARCHAR(20)",
    "DATETIME",
    "BOOLEAN",
    "DECIMAL(10, 2)",
    "JSON",
)
SHAPES = ("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT", "id INTEGER")
numbers = itertools.count()


@st.composite
def sqlite_tables(draw: st.DrawFn) -> list[tuple[str, str, list[tuple[object, ...]]]]:
    """Name, statement and rows of each table; the rows' first value is their number."""
    names = draw(st.lists(NAMES.filter(lambda one: not one.lower().startswith("sqlite_")), min_size=1, max_size=3,
                          unique_by=lambda one: one.lower()))  # fmt: skip
    made = []
    for name in names:
        types = draw(st.lists(st.sampled_from(DECLARED), max_size=6))
        shape, end = draw(st.sampled_from(SHAPES)), ""
        if shape == SHAPES[0] and draw(st.booleans()):
            end = " WITHOUT ROWID"
        columns = "".join(f", c{at} {one}" for at, one in enumerate(types))
        more = ", twice AS (id * 2) STORED" if draw(st.booleans()) else ""
        rows = draw(st.lists(st.tuples(*(VALUES for _ in types)), max_size=8))
        statement = f"CREATE TABLE {quoted(name)} ({shape}{columns}{more}){end}"
        made.append((name, statement, [(at, *row) for at, row in enumerate(rows)]))
    return made


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def write(file: Path, made: Sequence[tuple[str, str, list[tuple[object, ...]]]]) -> None:
    with closing(sqlite3.connect(file)) as raw, raw:
        for name, statement, rows in made:
            raw.execute(statement)
            for row in rows:
                columns = ", ".join(["id", *(f"c{at}" for at in range(len(row) - 1))])
                marks = ", ".join("?" for _ in row)
                raw.execute(f"INSERT INTO {quoted(name)} ({columns}) VALUES ({marks})", row)


def held(file: Path, made: Sequence[tuple[str, str, list[tuple[object, ...]]]]) -> list[str]:
    found = []
    with closing(sqlite3.connect(file)) as raw:
        for name, _, _ in made:
            found.append(repr(raw.execute(f"SELECT * FROM {quoted(name)} ORDER BY id").fetchall()))
    return found


@settings(GENERATED, max_examples=ROUND_TRIPS * 5)
@given(made=sqlite_tables())
def test_sqlite(tmp_path: Path, made: list[tuple[str, str, list[tuple[object, ...]]]]) -> None:
    file = tmp_path / f"{next(numbers)}.db"
    write(file, made)
    expected = held(file, made)
    database: Database = SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=tmp_path / "work")
    for way in (one for one in WAYS["sqlite"] if one.method is not Method.INCREMENT):
        out, request = io.BytesIO(), request_of(way)
        report = database.dump(out, request)
        out.seek(0)
        with database.scratch("trip", request) as copy:
            copy.load(out, request)
            assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
            assert held(Path(copy.address.database), made) == expected
