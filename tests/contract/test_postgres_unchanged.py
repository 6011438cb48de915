"""Which tables hold the very rows of an earlier snapshot: never said of one that does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from handrail.databases.postgres import digest
from handrail.databases.postgres.connection import reading
from handrail.databases.postgres.unchanged import Earlier, horizon
from handrail.facts import DatabaseAddress, TableName
from support.postgres import PostgresServer

SKIPPED = TableName("alembic_version")
TABLES = (
    "CREATE TABLE one (id integer PRIMARY KEY, name text)",
    "INSERT INTO one SELECT n, repeat(md5(n::text), n) FROM generate_series(1, 200) n",
    'CREATE TABLE "the other" (id integer)',
    'INSERT INTO "the other" SELECT generate_series(1, 50)',
    "CREATE TABLE twin (id integer)",
    "INSERT INTO twin SELECT generate_series(101, 150)",
    "CREATE TYPE mood AS ENUM ('sad', 'ok')",
    "CREATE TYPE pair AS (a integer, b integer)",
    "CREATE TABLE felt (mood mood, pair pair)",
    "INSERT INTO felt VALUES ('sad', (1, 2))",
    "CREATE TABLE empty ()",
    "CREATE TABLE parent (id integer)",
    "CREATE TABLE child () INHERITS (parent)",
    "INSERT INTO parent VALUES (1)",
    "INSERT INTO child VALUES (2)",
)
ALL = {"one", "the other", "twin", "felt", "empty", "parent", "child"}


def seen(address: DatabaseAddress) -> Earlier:
    with reading(address, "test") as (query, schema):
        oldest = horizon(query)
        return Earlier(digest.fingerprint(query, None, default_schema=schema, version_table=SKIPPED), oldest)


def known(address: DatabaseAddress, earlier: Earlier) -> set[str]:
    """The tables that are known; for all of them a new digest gives what is known."""
    with reading(address, "test") as (query, schema):
        ask = earlier.known(query, schema)
        anew = digest.fingerprint(query, None, default_schema=schema, version_table=SKIPPED)
        found = {one.table.name: ask(one.table) for one in anew.tables}
        taken = digest.fingerprint(
            query, None, default_schema=schema, version_table=SKIPPED, known=earlier.known(query, schema)
        )
    assert taken == anew
    assert all(before is None or before == anew.table(TableName(name)) for name, before in found.items())
    return {name for name, before in found.items() if before is not None}


@pytest.fixture
def filled(postgres_server: PostgresServer, address: DatabaseAddress) -> DatabaseAddress:
    postgres_server.execute(address, TABLES)
    return address


@pytest.mark.parametrize(
    ("statements", "changed"),
    [
        ([], set()),
        (["DELETE FROM one WHERE id = 7"], {"one"}),
        (["UPDATE one SET name = name WHERE id = 7"], {"one"}),
        (["DELETE FROM one WHERE id = 7", "INSERT INTO one VALUES (7, 'x')"], {"one"}),
        (["TRUNCATE one"], {"one"}),
        (["BEGIN", "SAVEPOINT a", "INSERT INTO empty DEFAULT VALUES", "COMMIT"], {"empty"}),
        (["BEGIN", "DELETE FROM one", "ROLLBACK"], set()),
        (["INSERT INTO child VALUES (3)"], {"child"}),
        (["UPDATE parent SET id = 5"], {"parent", "child"}),
        (["VACUUM FULL one", "VACUUM (FREEZE) parent", "ANALYZE", "CREATE INDEX ON parent (id)"], {"one"}),
        (["CREATE TEMPORARY TABLE made (id integer)", "COMMENT ON TABLE one IS 'one'"], set()),
        (["ALTER TABLE one DROP COLUMN name", "ALTER TABLE one ADD COLUMN name text DEFAULT 'x'"], {"one"}),
        ([
            'ALTER TABLE "the other" RENAME TO a', "ALTER TABLE twin RENAME TO \"the other\"", "ALTER TABLE a RENAME TO twin",
        ], {"the other", "twin"}),
        (["ALTER TYPE mood RENAME VALUE 'sad' TO 'low'"], ALL),
        (["ALTER TYPE pair ADD ATTRIBUTE c integer"], ALL),
        (["DROP TABLE empty"], {"empty"}),
        (["BEGIN", "TRUNCATE parent", "COPY parent FROM PROGRAM 'echo 1; echo 2' WITH (FREEZE)", "COMMIT"], {"parent", "child"}),
    ],
)  # fmt: skip
def test_what_was_written_since_is_not_known(
    postgres_server: PostgresServer, filled: DatabaseAddress, statements: Sequence[str], changed: set[str]
) -> None:
    earlier = seen(filled)
    postgres_server.execute(filled, statements)
    assert known(filled, earlier) == ALL - changed


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_what_was_under_way_is_not_known_whoever_began_first(
    postgres_server: PostgresServer, filled: DatabaseAddress, end: str
) -> None:
    with postgres_server.connect(filled) as connection:
        for statement in (
            "BEGIN", "DELETE FROM one WHERE id = 1", "SAVEPOINT a", "INSERT INTO one VALUES (1, 'in a subtransaction')",
            "SAVEPOINT b",
        ):  # fmt: skip
            connection.execute(statement.encode())
        earlier = seen(filled)
        connection.execute(b'INSERT INTO "the other" VALUES (51)')
        connection.execute(end.encode())
    assert known(filled, earlier) == (ALL - {"one", "the other"} if end == "COMMIT" else ALL)


def test_what_a_transaction_wrote_that_ended_beside_an_older_one_is_digested_again(
    postgres_server: PostgresServer, filled: DatabaseAddress
) -> None:
    """An old transaction holds the horizon back: rows that are the same may then not be known, never the other way."""
    with postgres_server.connect(filled) as connection:
        connection.execute(b"BEGIN")
        connection.execute(b"SELECT txid_current()")
        postgres_server.execute(filled, ["INSERT INTO parent VALUES (9)"])
        earlier = seen(filled)
        assert known(filled, earlier) == ALL - {"parent"}
        connection.execute(b"COMMIT")
