"""Base backups of real servers: proven on a server of their own, whatever is written meanwhile."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail.backups.methods import DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.postgres import binaries
from handrail.databases.postgres.database import PostgresDatabase
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress, TableName
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True

BASE = DumpRequest(Format.PG_BASE)
TABLES = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1')",
    "CREATE TABLE quiet (id serial PRIMARY KEY, name text)",
    "INSERT INTO quiet (name) SELECT md5(n::text) FROM generate_series(1, 5000) n",
    "CREATE UNLOGGED TABLE fleeting (id integer)",
    "CREATE TABLE busy (n integer)",
)


@pytest.fixture
def source(replica_server: PostgresServer) -> Iterator[DatabaseAddress]:
    address = replica_server.clone("shop")
    replica_server.execute(address, TABLES)
    yield address
    replica_server.drop("shop")


def test_the_copy_is_the_source(replica_server: PostgresServer, source: DatabaseAddress) -> None:
    database, out = PostgresDatabase(source), io.BytesIO()
    report = database.dump(out, BASE)
    assert (report.format, report.revisions, report.changed_meanwhile) == ("pg_basebackup-tar", ("a1",), ())
    out.seek(0)
    replica_server.execute(source, ["DELETE FROM quiet"])  # later: not in the copy
    with database.scratch("base", BASE) as copy:
        copy.load(out, BASE)
        assert copy.address.port != source.port
        assert (copy.address.database, copy.address.user) == ("shop", source.user)
        assert copy.address.password not in ("", source.password)
        found = copy.fingerprint()
        assert compare_restored(report.fingerprint, found, report.facts, copy.facts()) == ()
        assert copy.revisions() == ("a1",)
        assert found.rows == 5000
        folder = Path(copy._cluster.socket_folder).parent  # type: ignore[attr-defined]
        assert folder.exists()
    assert not folder.exists()


def test_it_takes_the_room_of_all_databases(replica_server: PostgresServer, source: DatabaseAddress) -> None:
    database = PostgresDatabase(source)
    with replica_server.connect(source) as connection:
        ((both,),) = connection.execute(
            "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE datname IN ('shop', 'template1')"
        ).fetchall()
    assert isinstance(both, int)
    assert database.size_bytes() < both <= database.size_bytes(BASE)


def test_what_others_write_meanwhile_is_named_and_the_rest_compared(
    replica_server: PostgresServer, source: DatabaseAddress
) -> None:
    database, out, stop = PostgresDatabase(source), io.BytesIO(), threading.Event()
    begun = threading.Event()

    def write() -> None:
        with replica_server.connect(source) as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO busy SELECT 1")
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(10)
    try:
        report = database.dump(out, BASE)
    finally:
        stop.set()
        thread.join()
    assert report.changed_meanwhile == (TableName("busy"),)
    out.seek(0)
    with database.scratch("base", BASE) as copy:
        copy.load(out, BASE)
        was, found = (one.without(report.changed_meanwhile) for one in (report.fingerprint, copy.fingerprint()))
        assert compare_restored(was, found, report.facts, copy.facts()) == ()


def test_a_folder_for_a_server(source: DatabaseAddress, tmp_path: Path, postgres_server: PostgresServer) -> None:
    database, out = PostgresDatabase(source), io.BytesIO()
    database.dump(out, BASE)
    release = postgres_server.cluster.binaries.release
    folder = tmp_path / "new" / "data"
    database.restore_cluster(io.BytesIO(out.getvalue()), folder, server=release)
    assert folder.stat().st_mode & 0o777 == 0o700
    verifier = postgres_server.cluster.binaries.bin_dir / "pg_verifybackup"
    assert subprocess.run([verifier, folder], capture_output=True, check=False).returncode == 0
    with pytest.raises(BackupError) as raised:
        database.restore_cluster(io.BytesIO(out.getvalue()), folder, server=release)
    assert (raised.value.message, raised.value.hint) == (
        f"{folder} is not empty.", "Choose another folder: --into FOLDER",
    )  # fmt: skip
    shutil.rmtree(folder)
    with pytest.raises(BackupError) as raised:
        database.restore_cluster(io.BytesIO(out.getvalue()), folder, server="14.3")
    assert raised.value.message == "The programs of a PostgreSQL 14 server were not found."
    assert not folder.exists()


@pytest.mark.parametrize("harm", ["empty", "half", "a byte", "a file less", "no manifest"])
def test_a_harmed_one_is_refused(source: DatabaseAddress, tmp_path: Path, harm: str) -> None:
    database, out = PostgresDatabase(source), io.BytesIO()
    database.dump(out, BASE)
    with database.scratch("base", BASE) as copy, pytest.raises(BackupError) as raised:
        copy.load(io.BytesIO(harmed(out.getvalue(), harm)), BASE)
    cut, damaged = "This is not a whole base backup.", "The base backup is damaged."
    expected = {"empty": [cut], "half": [cut, damaged]}.get(
        harm, [damaged]
    )  # a header that is cut ends a tar for tarfile
    assert raised.value.message in expected
    assert raised.value.hint == "Choose another one: `handrail backup list`."


def harmed(whole: bytes, harm: str) -> bytes:
    if harm in {"empty", "half"}:
        return whole[: len(whole) // 2 + 100 if harm == "half" else 0]
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as source, tarfile.open(fileobj=out, mode="w") as tar:
        for entry in source:
            content = source.extractfile(entry)
            data = b"" if content is None else content.read()
            if harm == "no manifest" and entry.name == "backup_manifest":
                continue
            if entry.name == "global/pg_filenode.map":
                if harm == "a file less":
                    continue
                data = data[:100] + bytes([data[100] ^ 1]) + data[101:] if harm == "a byte" else data
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_a_server_that_lets_nobody_replicate(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    """The tests' own servers have wal_level=minimal."""
    with pytest.raises(BackupError) as raised:
        PostgresDatabase(address).dump(io.BytesIO(), BASE)
    assert raised.value.message == f"pg_basebackup of {address} failed."
    assert raised.value.hint == (
        "It needs ALTER ROLE … REPLICATION, a line `host replication …` in pg_hba.conf, wal_level = replica,"
        " max_wal_senders > 0."
    )


def test_without_the_program(
    address: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer
) -> None:
    for program in ("pg_dump", "pg_restore"):
        (tmp_path / program).symlink_to(postgres_server.cluster.binaries.bin_dir / program)
    release = postgres_server.cluster.binaries.release
    monkeypatch.setattr(binaries, "_installations", lambda *_: iter([(tmp_path, release)]))
    with pytest.raises(BackupError) as raised:
        PostgresDatabase(address).dump(io.BytesIO(), BASE)
    assert raised.value.message == f"pg_basebackup was not found in {tmp_path}."
