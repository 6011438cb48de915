"""Dumps of a part of a PostgreSQL database: restored anywhere, since they hold every definition."""

from __future__ import annotations

import io
import tarfile

import pytest

from handrail.backups.methods import WAYS, DumpRequest, Format, Way, request_of
from handrail.backups.verification import compare_restored
from handrail.databases.postgres.database import PostgresDatabase
from handrail.errors import BackupError, HandrailError
from handrail.facts import DatabaseAddress, TableName
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True

SHOP = (
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE SCHEMA other",
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1')",
    "CREATE TABLE users (id serial PRIMARY KEY, feels mood NOT NULL DEFAULT 'sad', note text)",
    "INSERT INTO users (note) VALUES ('-- Name: x; Type: FK CONSTRAINT; '), (E'a\\n\\\\.\\nb'), ('COPY t FROM stdin;')",
    'CREATE TABLE other."My orders" (id integer PRIMARY KEY, buyer integer REFERENCES users)',
    'INSERT INTO other."My orders" VALUES (1, 1), (2, 2)',
    "CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')",
    "INSERT INTO events VALUES ('2026-02-01', 'a'), ('2026-08-01', 'b')",
    "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM users",
    "CREATE VIEW glad AS SELECT * FROM users WHERE feels = 'glad'",
    "SELECT lo_from_bytea(0, 'large')",
)
DUMPS = [way for way in WAYS["postgresql"] if way.may_be_partial]
WAYS_OF_POSTGRES = pytest.mark.parametrize("way", DUMPS, ids=lambda way: way.method)
ORDERS = TableName("My orders", "other")


def restored(database: PostgresDatabase, request: DumpRequest) -> dict[str, int]:
    """Rows by table of the restored dump, which must be what the source was."""
    out = io.BytesIO()
    report = database.dump(out, request)
    assert report.revisions == ("a1",)
    out.seek(0)
    with database.scratch("part") as scratch:
        scratch.load(out, request)
        found = scratch.fingerprint()
        assert compare_restored(report.fingerprint, found, report.facts, scratch.facts(), request) == ()
        assert scratch.revisions() == (() if request.schema_only else ("a1",))
    return {str(table.table): table.rows for table in found.tables if table.rows}


@WAYS_OF_POSTGRES
def test_chosen_tables(postgres_server: PostgresServer, address: DatabaseAddress, way: Way) -> None:
    postgres_server.execute(address, SHOP)
    database = PostgresDatabase(address)
    assert restored(database, request_of(way, tables=(TableName("users"),))) == {"users": 3}
    assert restored(database, request_of(way, tables=(ORDERS,))) == {"other.My orders": 2}
    assert restored(database, request_of(way, tables=(TableName("events"),))) == {"events_1": 1, "events_2": 1}
    both = request_of(way, tables=(TableName("events_2"), TableName("users", "public")))
    assert restored(database, both) == {"events_2": 1, "users": 3}


@WAYS_OF_POSTGRES
def test_definitions_only(postgres_server: PostgresServer, address: DatabaseAddress, way: Way) -> None:
    postgres_server.execute(address, SHOP)
    assert restored(PostgresDatabase(address), request_of(way, schema_only=True)) == {}


@WAYS_OF_POSTGRES
def test_the_whole(postgres_server: PostgresServer, address: DatabaseAddress, way: Way) -> None:
    postgres_server.execute(address, SHOP)
    assert restored(PostgresDatabase(address), request_of(way)) == {
        "events_1": 1, "events_2": 1, "other.My orders": 2, "pg_catalog.pg_largeobject_metadata": 1, "users": 3,
    }  # fmt: skip


def test_a_table_that_is_not_there(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    postgres_server.execute(address, SHOP)
    out = io.BytesIO()
    with pytest.raises(HandrailError) as raised:
        PostgresDatabase(address).dump(out, DumpRequest(tables=(TableName("user"),)))
    error = raised.value
    assert (error.message, error.why, error.hint) == (
        "there is no table user with rows of its own", "", "did you mean --table users?",
    )  # fmt: skip
    assert out.getvalue() == b""
    with pytest.raises(HandrailError) as raised:
        PostgresDatabase(address).dump(out, DumpRequest(tables=(TableName("zzz"),)))
    assert raised.value.why == "there are: events_1, events_2, other.My orders, users"


@pytest.mark.parametrize("name", ["../toc.dat", "/srv/toc.dat", "a/toc.dat", "link"])
def test_a_tar_that_names_other_places_is_refused(
    postgres_server: PostgresServer, address: DatabaseAddress, name: str
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    out.seek(0)
    with pytest.raises(BackupError) as raised:
        PostgresDatabase(address).load(out, DumpRequest(Format.PG_DIRECTORY))
    assert raised.value.message == "This is not a dump of pg_dump's directory format."
    assert raised.value.why == f"It holds {name!r}."
