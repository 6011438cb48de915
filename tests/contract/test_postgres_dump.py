"""Dumps under writes and under accidents: one snapshot, errors that name the fix, no password anywhere."""

from __future__ import annotations

import io
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.backups.methods import DumpRequest, Format
from handrail.databases.postgres import binaries
from handrail.databases.postgres.database import PostgresDatabase
from handrail.errors import BackupError, DatabaseUnavailable, HandrailError
from handrail.facts import DatabaseAddress, ObjectKind, SchemaObject, TableName
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True

ACCOUNTS = (
    "CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL, filler text)",
    "INSERT INTO accounts SELECT n, 100, repeat(md5(n::text), 8) FROM generate_series(1, 20000) n",
    "CREATE TABLE transfers (id serial PRIMARY KEY, account integer REFERENCES accounts, amount integer)",
)


class Watched(io.BytesIO):
    """Calls `on_first` before the first byte is kept."""

    def __init__(self, on_first: Callable[[], None]) -> None:
        super().__init__()
        self._on_first: Callable[[], None] | None = on_first

    def write(self, data: object) -> int:
        if self._on_first is not None:
            act, self._on_first = self._on_first, None
            act()
        return super().write(data)  # type: ignore[arg-type]  # any buffer


@contextmanager
def writing(server: PostgresServer, address: DatabaseAddress) -> Iterator[list[int]]:
    """Transfers between accounts, as fast as they go, until the block ends; yields a growing list of their numbers."""
    done, made = threading.Event(), [0]

    def write() -> None:
        with server.connect(address) as connection:
            while not done.is_set():
                with connection.transaction():
                    account = made[0] * 7919 % 20000 + 1
                    connection.execute("UPDATE accounts SET balance = balance - 1 WHERE id = %s", [account])
                    connection.execute("INSERT INTO transfers (account, amount) VALUES (%s, 1)", [account])
                made[0] += 1

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_dump_under_writes_is_of_the_snapshot_it_was_fingerprinted_in(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(address, ACCOUNTS)
    database = PostgresDatabase(address)
    with writing(postgres_server, address) as made:
        while made[0] < 20:
            time.sleep(0.005)
        seen: list[int] = []
        out = Watched(lambda: seen.append(made[0]))
        report = database.dump(out)
        assert made[0] > seen[0], "nobody wrote during the dump: the test shows nothing"
    out.seek(0)
    with database.scratch("under-writes") as scratch:
        scratch.load(out)
        restored = scratch.fingerprint()
        assert restored.tables == report.fingerprint.tables
        assert dict(restored.sequences)["transfers_id_seq"] >= dict(report.fingerprint.sequences)["transfers_id_seq"]
    assert database.fingerprint() != report.fingerprint


def test_a_large_dump_is_loaded_in_parallel(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    postgres_server.execute(
        address, [*ACCOUNTS, "CREATE TABLE copy AS SELECT * FROM accounts CROSS JOIN generate_series(1, 3)"]
    )
    database, out = PostgresDatabase(address), io.BytesIO()
    report = database.dump(out)
    assert out.tell() > 16 << 20
    out.seek(0)
    with database.scratch("large") as scratch:
        scratch.load(out)
        assert scratch.fingerprint() == report.fingerprint
        for cut in (1, 1000, out.tell() // 2):
            with database.scratch("cut") as half, pytest.raises(BackupError):
                half.load(io.BytesIO(out.getbuffer()[:-cut]))


def kill_tools_of(run_id: str) -> None:
    """SIGKILL the pg_dump of this run, and no other."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if (
                words.startswith((b"/",))
                and b"/pg_dump\0" in words
                and f"PGAPPNAME=handrail:{run_id}".encode() in environment
            ):
                os.kill(int(folder.name), signal.SIGKILL)


def test_pg_dump_killed_in_the_middle_is_a_backup_error(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(address, ACCOUNTS)
    run_id = f"kill-{postgres_server.version}-{os.getpid()}"
    database = PostgresDatabase(address, run_id=run_id)
    with pytest.raises(BackupError, match=r"pg_dump of .* failed") as caught:
        database.dump(Watched(lambda: kill_tools_of(run_id)))
    assert caught.value.why == "It ended with status -9."


def test_sessions_cut_by_the_server_are_a_backup_error(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(address, ACCOUNTS)

    def cut() -> None:
        postgres_server.execute(
            postgres_server.address("postgres"),
            [f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{address.database}'"],
        )

    with pytest.raises(BackupError):
        PostgresDatabase(address).dump(Watched(cut))


def message(error: HandrailError) -> str:
    return f"{error.message} {error.why} {error.hint}"


def test_a_wrong_password_is_told_and_not_printed(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    wrong = PostgresDatabase(replace(address, password="hunter2hunter2"))
    calls: list[Callable[[], object]] = [wrong.exists, wrong.facts, lambda: wrong.dump(io.BytesIO())]
    for call in calls:
        with pytest.raises(DatabaseUnavailable) as caught:
            call()
        assert "The server refused the password." in caught.value.message
        assert "hunter2" not in message(caught.value)
    (probe,) = wrong.probe()
    assert probe.ok is False
    assert "hunter2" not in probe.detail


def test_an_unreachable_server_and_a_missing_database_are_named(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        PostgresDatabase(replace(address, port=1)).facts()
    missing = PostgresDatabase(replace(address, database="not there"))
    assert not missing.exists()
    with pytest.raises(DatabaseUnavailable, match="There is no such database or role"):
        missing.facts()


def fake_tools(folder: Path, release: str) -> Path:
    """pg_dump and pg_restore that only say a version."""
    for name in ("pg_dump", "pg_restore"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {release}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def test_a_pg_dump_older_than_the_server_is_named_with_its_fix(
    postgres_server: PostgresServer, address: DatabaseAddress, tmp_path: Path
) -> None:
    database = PostgresDatabase(address, bin_dirs=[fake_tools(tmp_path, "9.6.24")])
    release = postgres_server.cluster.binaries.release
    with pytest.raises(BackupError) as caught:
        database.dump(io.BytesIO())
    assert caught.value.message == f"pg_dump 9.6.24 is older than the server, PostgreSQL {release}."
    assert f"apt-get install postgresql-client-{postgres_server.version}" in caught.value.hint
    assert [probe.name for probe in database.probe() if probe.ok is False] == ["pg_dump"]
    with pytest.raises(BackupError, match="were not found"):
        PostgresDatabase(address, bin_dirs=[tmp_path / "nowhere"]).dump(io.BytesIO())


def test_programs_older_than_the_server_make_no_base_backup(
    postgres_server: PostgresServer, address: DatabaseAddress, tmp_path: Path
) -> None:
    old, request = fake_tools(tmp_path, "9.6.24"), DumpRequest(Format.PG_BASE)
    wanted, release = postgres_server.version, postgres_server.cluster.binaries.release
    hint = (
        f"apt-get install postgresql-{wanted} (its server proves the backup), or set HANDRAIL_PG_BIN to the folder of"
        " its programs."
    )
    for folder, message, why in (
        (
            old,
            f"pg_basebackup 9.6.24 is older than the server, PostgreSQL {release}.",
            f"pg_basebackup refuses a server newer than itself; the newest one found is {old / 'pg_basebackup'}.",
        ),
        (tmp_path / "nowhere", "pg_basebackup was not found.", f"The server is PostgreSQL {release}."),
    ):
        with pytest.raises(BackupError) as caught:
            PostgresDatabase(address, bin_dirs=[folder]).dump(io.BytesIO(), request)
        assert (caught.value.message, caught.value.why, caught.value.hint) == (message, why, hint)


def test_tools_newer_than_the_server_dump_and_load(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    newest = binaries.find_tools()[-1]
    postgres_server.execute(address, ACCOUNTS)
    database, out = PostgresDatabase(address, bin_dirs=[newest.bin_dir]), io.BytesIO()
    report = database.dump(out)
    assert report.tool == newest.release
    out.seek(0)
    with database.scratch("newer") as scratch:
        scratch.load(out)
        assert scratch.fingerprint() == report.fingerprint


def test_no_right_to_read_a_table_is_named(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    role = f"reader_{address.database}"
    postgres_server.execute(
        address,
        [
            f"CREATE ROLE {role} LOGIN PASSWORD 'pw'",
            "CREATE TABLE open (a integer)",
            f"GRANT SELECT ON open TO {role}",
            "CREATE TABLE shut (a integer)",
            "CREATE TABLE rows_hidden (a integer)",
            "ALTER TABLE rows_hidden ENABLE ROW LEVEL SECURITY",
            f"GRANT SELECT ON rows_hidden TO {role}",
        ],
    )
    database = PostgresDatabase(replace(address, user=role, password="pw"))
    wrong = {probe.name: probe.detail for probe in database.probe() if probe.ok is False}
    assert wrong == {
        "scratch databases": f"{role} may not make databases",
        "readable": "no right to read shut",
        "row security": "hides rows of public.rows_hidden",
    }
    with pytest.raises(DatabaseUnavailable, match="A right is missing"):
        database.dump(io.BytesIO())
    postgres_server.execute(address, ["DROP TABLE shut"])
    with pytest.raises(DatabaseUnavailable, match="Row security hides rows"):
        database.fingerprint()
    with pytest.raises(DatabaseUnavailable, match="may not make databases"), database.scratch("no-right"):
        pass
    postgres_server.execute(address, [f"DROP OWNED BY {role}", f"DROP ROLE {role}"])


def test_schema_facts_are_the_same_after_a_dump_and_restore(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(
        address,
        [
            "CREATE SCHEMA app",
            f"ALTER DATABASE {address.database} SET search_path TO app, public",
            "CREATE TYPE app.mood AS ENUM ('ok', '슬픔')",
            "CREATE TABLE app.bookings (id bigserial PRIMARY KEY, status varchar(50) DEFAULT 'A' NOT NULL"
            " CONSTRAINT status_known CHECK (status IN ('A', 'B, it''s', 'C')), mood app.mood DEFAULT 'ok',"
            ' note text COLLATE "C", number integer GENERATED ALWAYS AS IDENTITY, twice integer GENERATED ALWAYS AS'
            " (length(status) * 2) STORED, price numeric(10, 2), at timestamptz DEFAULT now())",
            "CREATE TABLE public.other (booking bigint REFERENCES app.bookings ON DELETE CASCADE)",
            "CREATE INDEX lower_note ON app.bookings (lower(note)) WHERE status IN ('A', 'C')",
            "CREATE VIEW app.open AS SELECT id FROM app.bookings WHERE status IN ('A', 'C')",
            "CREATE FUNCTION app.stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER stop BEFORE UPDATE ON app.bookings FOR EACH ROW EXECUTE FUNCTION app.stop()",
            "ALTER TABLE public.other ADD CONSTRAINT late CHECK (booking > 0) NOT VALID",
        ],
    )
    database, out = PostgresDatabase(address), io.BytesIO()
    report = database.dump(out)
    out.seek(0)
    with database.scratch("schema") as scratch:
        scratch.load(out)
        facts = scratch.facts()
        assert facts.tables == report.facts.tables
        assert facts.objects == report.facts.objects
    bookings = facts.table(TableName("bookings"))
    assert bookings is not None
    assert [(column.name, column.type, column.default) for column in bookings.columns] == [
        ("id", "bigint", "nextval('app.bookings_id_seq'::regclass)"),
        ("status", "character varying(50)", "'A'::character varying"),
        ("mood", "app.mood", "'ok'::app.mood"),
        ("note", "text", None),
        ("number", "integer", "GENERATED ALWAYS AS IDENTITY"),
        ("twice", "integer", "(length((status)::text) * 2)"),
        ("price", "numeric(10,2)", None),
        ("at", "timestamp with time zone", "now()"),
    ]
    assert [column.name for column in bookings.columns if column.generated] == ["twice"]
    assert [column.collation for column in bookings.columns if column.collation] == ["pg_catalog.C"]
    assert SchemaObject(ObjectKind.ENUM, "mood", None, "ok\n슬픔") in facts.objects
    invalid = [(thing.table, thing.name) for thing in facts.objects if not thing.is_valid]
    assert invalid == [(TableName("other", "public"), "late")]
    assert {(thing.kind, thing.name) for thing in facts.objects} >= {
        (ObjectKind.TRIGGER, "stop"),
        (ObjectKind.VIEW, "open"),
        (ObjectKind.SEQUENCE, "bookings_id_seq"),
        (ObjectKind.INDEX, "lower_note"),
    }
