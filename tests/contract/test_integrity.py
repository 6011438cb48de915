"""The engines' own checks on databases that are sound, and on such that are not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contract.database_suite import SCHEMA
from handrail.databases.database import Probe
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

SOUND = (
    Probe("integrity_check", True, "every page and index entry is sound"),
    Probe("foreign_key_check", True, "every foreign key leads to a row"),
)


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteDatabase:
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw, raw:
        for statement in SCHEMA:
            raw.execute(statement)
    return SqliteDatabase(DatabaseAddress("sqlite", str(tmp_path / "a.db")), work_dir=tmp_path)


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    address = postgres_server.clone('한 "글" %s')
    postgres_server.execute(address, SCHEMA)
    yield PostgresDatabase(address)
    postgres_server.drop(address.database)


def test_a_sound_file(sqlite: SqliteDatabase) -> None:
    assert sqlite.integrity() == SOUND


def test_an_index_that_lacks_rows(sqlite: SqliteDatabase) -> None:
    with closing(sqlite3.connect(sqlite.address.database)) as raw, raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX ix_orders_amount ON orders (id)' WHERE name = 'ix_orders_amount'"
        )
    found = sqlite.integrity()
    rows = "; ".join(f"row {row} missing from index ix_orders_amount" for row in (1, 2, 3))
    assert found == (Probe("integrity_check", False, rows), SOUND[1])


def test_keys_that_lead_nowhere(sqlite: SqliteDatabase) -> None:
    with closing(sqlite3.connect(sqlite.address.database)) as raw, raw:
        raw.execute("INSERT INTO orders VALUES (4, 9, 1), (5, 9, 1)")
    broken = Probe("foreign_key_check", False, "orders.customer_id -> customers: 2 rows")
    assert sqlite.integrity() == (SOUND[0], broken)


@pytest.mark.parametrize(
    ("sql", "value"), [("SELECT count(*) > 2 FROM orders", 1), ("SELECT id FROM orders WHERE id > 9", None)]
)
def test_a_query_on_sqlite(sqlite: SqliteDatabase, sql: str, value: object) -> None:
    assert sqlite.ask(sql, seconds=60) == value


def test_a_wrong_query_on_sqlite(sqlite: SqliteDatabase) -> None:
    with pytest.raises(BackupError) as caught:
        sqlite.ask("SELECT nosuch FROM orders", seconds=60)
    assert (caught.value.message, caught.value.why) == ("The query failed.", "no such column: nosuch")


def test_sound_tables_and_indexes(postgres: PostgresDatabase) -> None:
    assert postgres.integrity() == (
        Probe("verify_heapam", True, "6 tables, all sound"),
        Probe("bt_index_check", True, "5 b-trees, all sound"),
    )
    assert postgres.ask("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'", seconds=60) == 0


def test_an_index_on_a_function_that_was_changed(postgres: PostgresDatabase, postgres_server: PostgresServer) -> None:
    made = "CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN {}; END'"
    postgres_server.execute(
        postgres.address, [made.format("$1"), "CREATE INDEX odd ON orders (f(amount))", made.format("-$1")]
    )
    tables, indexes = postgres.integrity()
    assert tables == Probe("verify_heapam", True, "6 tables, all sound")
    assert indexes == Probe(
        "bt_index_check",
        False,
        'odd: heap tuple (0,1) from table "orders" lacks matching index tuple within index "odd"',
    )


def test_a_role_that_may_not_make_extensions(postgres: PostgresDatabase, postgres_server: PostgresServer) -> None:
    postgres_server.execute(postgres.address, ["CREATE ROLE plain LOGIN PASSWORD 'plain'"])
    try:
        plain = PostgresDatabase(replace(postgres.address, user="plain", password="plain"))
        assert plain.integrity() == (
            Probe(
                "amcheck",
                None,
                'the extension amcheck cannot be made: permission denied to create extension "amcheck"',
                "let the role that makes scratch databases create extensions",
            ),
        )
    finally:
        postgres_server.execute(postgres.address, ["DROP ROLE plain"])


def test_a_query_on_postgresql(postgres: PostgresDatabase) -> None:
    assert postgres.ask("SELECT count(*) > 2 FROM orders WHERE customer_id % 2 IN (0, 1)", seconds=60) is True
    assert postgres.ask("SELECT id FROM orders WHERE id > 9", seconds=60) is None
    with pytest.raises(BackupError) as caught:
        postgres.ask("SELECT nosuch FROM orders", seconds=60)
    assert (caught.value.message, caught.value.why) == ("The query failed.", 'column "nosuch" does not exist')


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT max(i) FROM n"


def test_a_query_that_does_not_end(sqlite: SqliteDatabase, postgres: PostgresDatabase) -> None:
    for database, why in ((sqlite, "interrupted"), (postgres, "canceling statement due to statement timeout")):
        with pytest.raises(BackupError) as caught:
            database.ask(ENDLESS, seconds=0.2)
        assert (caught.value.message, caught.value.why) == ("The query failed.", why)
