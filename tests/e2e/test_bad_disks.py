"""Disks and files through the command line: full, read-only, linked, not to be written; nothing lost, nothing left."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress
from support.calling import (
    NEXT,
    ROWS,
    assert_postgres_at_b2,
    at_b2,
    handrail,
    postgres_at_b2,
    rows,
    small_disk,
    without_power,
)
from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, SYNC_ENV, database_at_b2, make_project, write_script

FILL = replace(
    NEXT,
    upgrade="""op.create_table("extra", sa.Column("content", sa.LargeBinary))
for _ in range(3000):
    op.get_bind().execute(sa.text("INSERT INTO extra VALUES (:bytes)"), {"bytes": bytes(range(250)) * 4})""",
)
#: Where no disk can be mounted: the live file may have 40 pages, a copy of it as many as it wants.
LIMITED_ENV = SYNC_ENV.replace(
    "        context.configure(",
    """        if connection.exec_driver_sql("PRAGMA database_list").first()[2].endswith("local.db"):
            connection.exec_driver_sql("PRAGMA max_page_count=40")
        connection.rollback()
        context.configure(""",
    1,
)


def size_limit() -> None:
    """For this process, files end at 64 KiB, as a disk may."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))


def make_large(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE large (content BLOB)")
        connection.executemany("INSERT INTO large VALUES (randomblob(1000))", [()] * 500)


def below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_disk_that_fills_while_applying(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with small_disk(data, 1 << 20) as is_small:
        url = "sqlite:///data/local.db"
        make_project(tmp_path, revisions=(BOOKINGS, STATUS, FILL), url=url, env=SYNC_ENV if is_small else LIMITED_ENV)
        database_at_b2(data / "local.db")
        before = (data / "local.db").read_bytes()
        said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
        lines = said.error.splitlines()
        assert (said.code, said.out) == (7, "")
        assert lines[0].startswith("HR701 the script of revision c3 failed")
        assert lines[1:] == [
            "  why: OperationalError: database or disk is full. The database was brought back: the transaction was rolled"
            " back; no row written by others was lost.",
            "  next: make room on the disk of the database, then run the command again",
        ]
        assert (data / "local.db").read_bytes() == before
        assert below(data) == ["local.db", "local.db.handrail-lock"]
        assert below(tmp_path / ".handrail" / "work") == []


def test_a_disk_that_fills_while_backing_up(tmp_path: Path) -> None:
    at_b2(tmp_path, NEXT)
    make_large(tmp_path / "local.db")
    before = (tmp_path / "local.db").read_bytes()
    (tmp_path / "handrail.toml").write_text("[environments.production]\nstore = 'small'\n")
    with small_disk(tmp_path / "small", 64 << 10) as is_small:
        for words in (("upgrade", "--yes"), ("backup", "create")):
            said = handrail(tmp_path, *words, "--env", "production", before=None if is_small else size_limit)
            reason = "No space left on device" if is_small else "File too large"
            lines = said.error.splitlines()
            assert (said.code, said.out) == (5, "")
            assert lines[0].startswith("HR510 cannot write production/")
            assert lines[0].endswith("/artifact.zst to the store <here>/small")
            assert lines[1].startswith(f"  why: {reason} (")
            assert lines[2:] == [
                "  next: make room or rights there, or name another folder (`store`, `copies` or --to says which)"
            ]
            assert below(tmp_path / "small") == ["production"]
    assert (tmp_path / "local.db").read_bytes() == before


@pytest.fixture
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server of this test's own: one whose disk is full is of no use to others."""
    with ThrowawayCluster(postgres_server.cluster.binaries) as cluster:
        yield PostgresServer(cluster)


def fill_tablespace(server: PostgresServer, address: DatabaseAddress, folder: Path) -> None:
    """Move the database to a tablespace in `folder`, which belongs to the server's account."""
    owner = server.cluster.socket_folder.stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)
    move = [f"CREATE TABLESPACE small LOCATION '{folder}'", f"ALTER DATABASE {address.database} SET TABLESPACE small"]
    server.execute(server.cluster.address, move)
    left = shutil.disk_usage(folder).free - (1 << 20)
    assert left > 0
    (folder / "ballast").write_bytes(bytes(left))


#: Where no disk can be mounted the server says in the live database what it says of a full disk.
REFUSING = """op.create_table("extra", sa.Column("id", sa.Integer))
op.execute("DO $$ BEGIN IF current_database() LIKE 'test%' THEN RAISE disk_full"
    " USING MESSAGE = 'could not extend file: No space left on device'; END IF; END $$")"""


@pytest.mark.story
def test_a_tablespace_that_fills_while_applying(tmp_path: Path, own_server: PostgresServer) -> None:
    """The scratch database is in another tablespace: the rehearsal has room, the apply has not."""
    address = postgres_at_b2(tmp_path, own_server, FILL)
    folder = Path(tempfile.mkdtemp(prefix="hr-space-"))
    with small_disk(folder, 24 << 20) as is_small:
        if is_small:
            fill_tablespace(own_server, address, folder)
        else:
            write_script(tmp_path, replace(FILL, upgrade=REFUSING))
        said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
        why, next_step = said.error.splitlines()[1:]
        assert (said.code, said.out) == (7, "")
        assert why.startswith("  why: DiskFull: could not extend file")
        assert "No space left on device" in why
        assert why.endswith(
            " The database was brought back: the transaction was rolled back; no row written by others was lost."
        )
        assert next_step == "  next: make room on the disk of the database, then run the command again"
        assert_postgres_at_b2(own_server, address)
        own_server.cluster.stop()
    folder.rmdir()


def test_a_read_only_database_file(tmp_path: Path) -> None:
    at_b2(tmp_path, NEXT)
    file = tmp_path / "local.db"
    file.chmod(0o444)
    before = file.read_bytes()
    said = handrail(tmp_path, "upgrade", "--yes", before=without_power)
    assert (said.code, said.error) == (
        2,
        """HR230 The SQLite database <here>/local.db is read-only.
  why: <here>/local.db may not be written.
  next: Give the file and its folder write rights: `ls -ld <here> <here>/local.db`.""",
    )
    assert file.read_bytes() == before
    assert not (tmp_path / ".handrail" / "store").exists()


def test_a_read_only_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT), url="sqlite:///data/local.db")
    database_at_b2(data / "local.db")
    before = (data / "local.db").read_bytes()
    data.chmod(0o555)
    said = handrail(tmp_path, "upgrade", "--yes", before=without_power)
    data.chmod(0o755)
    assert (said.code, said.error) == (
        2,
        """HR230 The SQLite database <here>/data/local.db is read-only.
  why: <here>/data may not be written.
  next: Give the file and its folder write rights: `ls -ld <here>/data <here>/data/local.db`.""",
    )
    assert below(data) == ["local.db"]
    assert (data / "local.db").read_bytes() == before


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "local.db").symlink_to(tmp_path / "real.db")
    assert handrail(tmp_path, "upgrade", "--yes").code == 0
    assert (tmp_path / "local.db").readlink() == tmp_path / "real.db"
    assert rows(tmp_path) == ROWS


def test_a_symlinked_database_stays_a_symlink_even_when_it_is_restored(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=(BOOKINGS, STATUS))
    real = tmp_path / "elsewhere" / "data.db"
    real.parent.mkdir()
    database_at_b2(real)
    (tmp_path / "local.db").symlink_to(real)
    write_script(tmp_path, NEXT)
    (tmp_path / "handrail.toml").write_text(
        "[environments.development]\nhealth = {command = 'false', timeout = '0.1s'}\n"
    )
    said = handrail(tmp_path, "upgrade", "--yes")
    assert (said.code, "was restored" in said.error) == (7, True)
    assert (tmp_path / "local.db").is_symlink()
    assert (tmp_path / "local.db").resolve() == real
    assert rows(tmp_path) == ROWS


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    at_b2(tmp_path, NEXT)
    (tmp_path / "handrail.toml").write_text("[environments.production]\nstore = 'occupied'\n")
    (tmp_path / "occupied").write_text("a file where the store's folder should be")
    said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
    assert said.code == 5
    assert "occupied" in said.error
    assert rows(tmp_path) == ROWS
    assert handrail(tmp_path, "status", "--env", "production").code in (0, 5)
