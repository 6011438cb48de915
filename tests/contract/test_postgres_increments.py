"""Increments on base backups of real servers: only what changed is taken, and the whole of them is proven."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.backups.methods import DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.database import DumpReport
from handrail.databases.postgres.base import INCREMENTS_SINCE
from handrail.databases.postgres.database import PostgresDatabase
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

BASE, INCREMENT = DumpRequest(Format.PG_BASE), DumpRequest(Format.PG_INCREMENT)
TABLES = (
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1')",
    "CREATE TABLE rooms (id serial PRIMARY KEY, name text)",
    "INSERT INTO rooms (name) SELECT md5(n::text) FROM generate_series(1, 60000) n",
    "CREATE TABLE gone (n integer)",
)
CHANGES = (
    "UPDATE rooms SET name = 'changed' WHERE id <= 100",
    "CREATE TABLE later AS SELECT n, md5(n::text) AS word FROM generate_series(1, 500) n",
    "DROP TABLE gone",
    "UPDATE alembic_version SET version_num = 'b2'",
)


@pytest.fixture
def source(replica_server: PostgresServer) -> Iterator[DatabaseAddress]:
    address = replica_server.clone("shop")
    replica_server.execute(address, TABLES)
    yield address
    replica_server.drop("shop")


@pytest.fixture
def telling(replica_server: PostgresServer) -> PostgresServer:
    if replica_server.version < INCREMENTS_SINCE:
        pytest.skip(f"PostgreSQL {replica_server.version} has no pg_basebackup --incremental")
    summarize(replica_server, "on")
    return replica_server


def summarize(server: PostgresServer, value: str) -> None:
    with server.connect(server.cluster.address) as connection:
        connection.execute(f"ALTER SYSTEM SET summarize_wal = {value}")
        connection.execute("SELECT pg_reload_conf()")


def taken(database: PostgresDatabase, request: DumpRequest) -> tuple[DumpReport, io.BytesIO]:
    out = io.BytesIO()
    report = database.dump(out, request)
    out.seek(0)
    return report, out


def size(out: io.BytesIO) -> int:
    return len(out.getvalue())


def test_two_increments_on_a_base_backup(telling: PostgresServer, source: DatabaseAddress, tmp_path: Path) -> None:
    database = PostgresDatabase(source)
    first, base = taken(database, BASE)
    telling.execute(source, CHANGES)
    second, increment = taken(database, replace(INCREMENT, since=first.inventory))
    telling.execute(source, ["INSERT INTO later VALUES (-1, 'third')"])
    third, other = taken(database, replace(INCREMENT, since=second.inventory))
    assert (first.format, second.format, third.format) == (Format.PG_BASE, Format.PG_INCREMENT, Format.PG_INCREMENT)
    assert (first.revisions, third.revisions) == (("a1",), ("b2",))
    assert max(size(increment), size(other)) < size(base) / 2
    telling.execute(source, ["DELETE FROM rooms"])  # later: not in the copy
    with database.scratch("increments", INCREMENT) as copy:
        copy.load(base, INCREMENT, increments=(increment, other))
        assert compare_restored(third.fingerprint, copy.fingerprint(), third.facts, copy.facts()) == ()
        assert copy.revisions() == ("b2",)
    for part in (base, increment):
        part.seek(0)
    folder = tmp_path / "data"
    database.restore_cluster(base, folder, server=telling.cluster.binaries.release, increments=[increment])
    assert list(tmp_path.iterdir()) == [folder]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.rglob("INCREMENTAL.*"))


def test_one_that_builds_on_another(telling: PostgresServer, source: DatabaseAddress, tmp_path: Path) -> None:
    """An increment without the one before it, and parts in the wrong order."""
    database = PostgresDatabase(source)
    first, base = taken(database, BASE)
    second, _ = taken(database, replace(INCREMENT, since=first.inventory))
    _, third = taken(database, replace(INCREMENT, since=second.inventory))
    folder = tmp_path / "data"
    release = telling.cluster.binaries.release
    with pytest.raises(BackupError) as raised:
        database.restore_cluster(base, folder, server=release, increments=[third])
    assert raised.value.message == "The increments do not fit the backup that they are to build on."
    assert raised.value.why.startswith("pg_combinebackup: error: ")
    assert list(tmp_path.iterdir()) == []
    third.seek(0)
    with pytest.raises(BackupError) as raised:
        database.restore_cluster(third, folder, server=release)
    assert raised.value.message == "These are only the blocks that changed since another backup."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["empty", "half"])
def test_a_harmed_increment_is_refused(
    telling: PostgresServer, source: DatabaseAddress, tmp_path: Path, harm: str
) -> None:
    database = PostgresDatabase(source)
    first, base = taken(database, BASE)
    _, increment = taken(database, replace(INCREMENT, since=first.inventory))
    whole = increment.getvalue()
    cut = io.BytesIO(whole[: len(whole) // 2 + 100 if harm == "half" else 0])
    with pytest.raises(BackupError) as raised:
        database.restore_cluster(base, tmp_path / "data", server=telling.cluster.binaries.release, increments=[cut])
    assert raised.value.message in {"This is not a whole base backup.", "The base backup is damaged."}
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_summarize(telling: PostgresServer, source: DatabaseAddress) -> None:
    database = PostgresDatabase(source)
    first, _ = taken(database, BASE)
    summarize(telling, "off")
    with pytest.raises(BackupError) as raised:
        taken(database, replace(INCREMENT, since=first.inventory))
    assert raised.value.message == f"pg_basebackup of {source} failed."
    assert "WAL summarization" in raised.value.why
    assert raised.value.hint == (
        "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); and then handrail backup create --method base"
    )


def test_the_manifest_of_another_server(telling: PostgresServer, source: DatabaseAddress) -> None:
    database = PostgresDatabase(source)
    first, _ = taken(database, BASE)
    body = first.inventory.replace(b'"System-Identifier": ', b'"System-Identifier": 1')
    body = body[: body.index(b'"Manifest-Checksum"')]
    other = body + b'"Manifest-Checksum": "%s"}\n' % hashlib.sha256(body).hexdigest().encode()
    with pytest.raises(BackupError) as raised:
        taken(database, replace(INCREMENT, since=other))
    assert "system identifier" in raised.value.why
    assert raised.value.hint == "Build on a new one: handrail backup create --method base"


def test_an_older_server(replica_server: PostgresServer, source: DatabaseAddress) -> None:
    if replica_server.version >= INCREMENTS_SINCE:
        pytest.skip("a server that can tell what changed")
    with pytest.raises(BackupError) as raised:
        taken(PostgresDatabase(source), replace(INCREMENT, since=b"{}"))
    assert raised.value.message.endswith(" cannot tell what changed since a backup.")
    assert raised.value.why == "Increments need version 17 or newer."
    first, _ = taken(PostgresDatabase(source), BASE)
    assert first.inventory == b""
