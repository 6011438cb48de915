"""The SQLite session guard on connections as env.py opens them, and the catalog it reads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from handrail.databases.sqlite import catalog
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.session import SqliteSessionGuard
from handrail.errors import HandrailError
from handrail.facts import (
    BrokenReference,
    ColumnCompleteness,
    DatabaseAddress,
    ObjectKind,
    SchemaObject,
    SessionState,
    TableName,
)

SCHEMA = """
CREATE TABLE alembic_version (version_num TEXT);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), a INT, b INT);
INSERT INTO customers VALUES (1, 'a');
INSERT INTO orders VALUES (1, 1, 0, 0);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(SCHEMA)
    return path


@pytest.fixture
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def guard(raw: sqlite3.Connection) -> SqliteSessionGuard:
    return SqliteSessionGuard(raw, lock_timeout=0.25)


def test_prepare_sets_foreign_keys_off_and_bounds_waits(raw: sqlite3.Connection) -> None:
    raw.execute("PRAGMA foreign_keys=ON")
    guard(raw).prepare()
    assert raw.execute("PRAGMA foreign_keys").fetchone() == (0,)
    assert raw.execute("PRAGMA busy_timeout").fetchone() == (250,)


@pytest.mark.parametrize("foreign_keys", ["ON", "OFF"])
def test_prepare_inside_a_transaction_is_refused(raw: sqlite3.Connection, foreign_keys: str) -> None:
    raw.execute(f"PRAGMA foreign_keys={foreign_keys}")
    raw.execute("BEGIN")
    with pytest.raises(HandrailError, match="inside a transaction already"):
        guard(raw).prepare()


def test_the_session_sees_its_own_uncommitted_changes_and_keeps_its_transaction(
    raw: sqlite3.Connection, path: Path, tmp_path: Path
) -> None:
    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=tmp_path)
    assert guard(raw).fingerprint(None) == database.fingerprint()
    assert guard(raw).facts() == database.facts()
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO customers VALUES (2, 'b')")
    raw.execute("CREATE TABLE later (id)")
    customers = guard(raw).fingerprint(None).table(TableName("customers"))
    assert customers is not None
    assert customers.rows == 2
    assert guard(raw).facts().table(TableName("later")) is not None
    assert guard(raw).broken_references() == ()
    assert raw.in_transaction
    raw.rollback()
    assert guard(raw).fingerprint(None) == database.fingerprint()


def test_state_shows_that_a_table_was_made_anew(raw: sqlite3.Connection) -> None:
    before = guard(raw).state()
    assert before.locks == frozenset()
    assert set(before.storage) == {TableName("alembic_version"), TableName("customers"), TableName("orders")}
    raw.execute("BEGIN")
    raw.execute("CREATE TABLE _alembic_tmp_orders AS SELECT * FROM orders")
    raw.execute("DROP TABLE orders")
    raw.execute("ALTER TABLE _alembic_tmp_orders RENAME TO orders")
    after = guard(raw).state()
    assert after.storage[TableName("orders")] != before.storage[TableName("orders")]
    assert after.storage[TableName("customers")] == before.storage[TableName("customers")]
    assert isinstance(after, SessionState)


def test_broken_references_are_counted_by_key(raw: sqlite3.Connection) -> None:
    raw.execute("INSERT INTO orders VALUES (2, 7, 0, 0), (3, 8, 0, 0)")
    raw.execute("CREATE TABLE parent (a INT, b INT, PRIMARY KEY (a, b))")
    raw.execute("CREATE TABLE child (a INT, b INT, FOREIGN KEY (a, b) REFERENCES parent)")
    raw.execute("INSERT INTO child VALUES (1, 1)")
    assert guard(raw).broken_references() == (
        BrokenReference(TableName("child"), ("a", "b"), TableName("parent"), 1),
        BrokenReference(TableName("orders"), ("customer_id",), TableName("customers"), 2),
    )
    assert [broken.line() for broken in guard(raw).broken_references()] == [
        "child.a,b -> parent: 1 row",
        "orders.customer_id -> customers: 2 rows",
    ]


def test_a_boolean_default_is_the_number_that_sqlite_stores(raw: sqlite3.Connection) -> None:
    raw.execute("ALTER TABLE orders ADD COLUMN is_open BOOLEAN DEFAULT TRUE")
    raw.execute("INSERT INTO orders (id, is_open) VALUES (2, 5), (3, 0)")
    orders = TableName("orders")
    assert guard(raw).completeness({orders: ("is_open",)}) == (ColumnCompleteness(orders, "is_open", 3, 0, 2),)


def test_a_key_to_columns_that_are_not_unique_is_a_broken_reference(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE child (name TEXT REFERENCES customers (name))")
    raw.execute("INSERT INTO child VALUES ('a')")
    raw.execute("INSERT INTO orders VALUES (2, 7, 0, 0)")
    child, orders = guard(raw).broken_references()
    assert child == BrokenReference(TableName("child"), (), TableName("customers"), None)
    assert child.line() == "child -> customers: foreign key mismatch, it cannot be checked"
    assert orders.rows == 1


def test_it_works_beneath_aiosqlite(path: Path) -> None:
    async def counted() -> int:
        async with aiosqlite.connect(path, check_same_thread=False) as connection:
            session = guard(connection._conn)
            session.prepare()
            return session.fingerprint(None).rows

    assert asyncio.run(counted()) == 2


DDL = """CREATE TABLE "Odd, (table" ( -- a comment, with (parens
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  [name] VARCHAR(10) COLLATE NOCASE DEFAULT 'a, (b' UNIQUE,
  kind TEXT NOT NULL CONSTRAINT kinds CHECK (kind  in ('a','b, c')),
  "owner id" INT NULL REFERENCES customers(id) ON DELETE SET NULL NOT DEFERRABLE,
  twice AS (id * 2) STORED CHECK (twice > 0), /* another, */
  CONSTRAINT `pair` UNIQUE ("name", kind),
  CONSTRAINT fk FOREIGN KEY(kind) REFERENCES customers (name) ON UPDATE SET DEFAULT,
  check (length(name) > 1)
)"""


def test_constraints_are_read_from_the_text_of_the_table(raw: sqlite3.Connection) -> None:
    raw.execute(DDL)
    table = TableName("Odd, (table")
    raw.execute('CREATE  UNIQUE index "Ix"\n ON "Odd, (table" (name)  WHERE kind = \'a\'')
    facts = catalog.facts(raw, version_table="alembic_version")
    found = {(thing.name, thing.definition) for thing in facts.objects if thing.table == table}
    assert found == {
        ("PRIMARY KEY (id)", "PRIMARY KEY (id)"),
        ("AUTOINCREMENT", "AUTOINCREMENT (id)"),
        ("UNIQUE (name)", "UNIQUE (name)"),
        ("kinds", "CHECK (kind IN ('a', 'b, c'))"),
        (
            'FOREIGN KEY ("owner id") REFERENCES customers (id) ON DELETE SET NULL NOT DEFERRABLE',
            'FOREIGN KEY ("owner id") REFERENCES customers (id) ON DELETE SET NULL NOT DEFERRABLE',
        ),
        ("CHECK (twice > 0)", "CHECK (twice > 0)"),
        ("pair", "UNIQUE (name, kind)"),
        ("fk", "FOREIGN KEY (kind) REFERENCES customers (name) ON UPDATE SET DEFAULT"),
        ("CHECK (length (name) > 1)", "CHECK (length (name) > 1)"),
        ("Ix", "CREATE UNIQUE INDEX Ix ON \"Odd, (table\" (name) WHERE kind = 'a'"),
    }
    columns = {column.name: column for column in facts.tables[0].columns}
    assert facts.tables[0].name == table
    assert (columns["name"].collation, columns["name"].default) == ("NOCASE", "'a, (b'")
    assert (columns["kind"].collation, columns["twice"].generated) == (None, True)


def test_triggers_are_objects_of_their_table(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END")
    objects = catalog.facts(raw, version_table="alembic_version").objects
    assert (
        SchemaObject(
            ObjectKind.TRIGGER,
            "t",
            TableName("orders"),
            "CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
        )
        in objects
    )
