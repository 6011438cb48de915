"""The PostgreSQL servers behind the instances: made, copied while they run, recovered to a moment, ended with us."""

from __future__ import annotations

import shlex
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handrail.databases.postgres.binaries import ServerBinaries, find_server_binaries
from handrail.databases.postgres.cluster import free_port
from handrail.databases.postgres.connection import opened
from handrail.databases.postgres.quoting import Query, identifier, literal
from handrail.errors import DatabaseUnavailable
from handrail.laboratory.cluster import ADMIN, LabCluster, passable
from handrail.laboratory.jobs import Jobs

_SETTINGS = (
    "full_page_writes=on",
    "synchronous_commit=on",
    "autovacuum=on",
    "wal_level=replica",
    "max_wal_senders=10",
    "min_wal_size=8MB",
    "max_wal_size=256MB",
    "archive_mode=on",
    "timezone=UTC",
    "shared_buffers=32MB",
    "max_connections=80",
)
_ACCESS = """local all rdsadmin trust
local replication rdsadmin trust
host rdsadmin all all reject
host all rdsadmin all reject
host all all 127.0.0.1/32 scram-sha-256
"""
#: What RDS has made before the master user comes.
_OWN = (
    "CREATE ROLE rds_superuser NOLOGIN",
    "CREATE ROLE rds_replication NOLOGIN",
    "CREATE ROLE rds_iam NOLOGIN",
    "GRANT pg_monitor, pg_signal_backend, rds_replication TO rds_superuser WITH ADMIN OPTION",
    f"CREATE DATABASE {ADMIN}",
)
_HEARTBEAT = "CREATE TABLE rds_heartbeat2 (id int PRIMARY KEY, value timestamptz NOT NULL)"
_BEAT = (
    "INSERT INTO rds_heartbeat2 VALUES (1, clock_timestamp())"
    " ON CONFLICT (id) DO UPDATE SET value = excluded.value RETURNING value"
)


class Servers:
    """All servers of a laboratory, by the resource ids of their instances."""

    def __init__(self, folder: Path, sockets: Path, jobs: Jobs) -> None:
        self.folder = folder
        self._sockets = sockets
        self._jobs = jobs
        self._running: dict[str, LabCluster] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._making = threading.Lock()
        for part in ("instances", "backups", "wal", "templates"):
            passable(folder / part)

    # -- which server

    def majors(self) -> list[int]:
        """The major versions that can be had, newest first."""
        return [one.version for one in find_server_binaries()]

    def _binaries(self, major: int) -> ServerBinaries:
        found = find_server_binaries(major)
        if not found:
            raise DatabaseUnavailable(
                f"PostgreSQL {major} is not on this machine.",
                hint=f"apt-get install postgresql-{major}, or name its programs in HANDRAIL_PG_BIN.",
            )
        home = passable(self.folder / "templates" / str(major))
        copied = home / "install" / found[0].bin_dir.name
        if copied.is_dir():
            return ServerBinaries(copied, major, found[0].release)
        return LabCluster(found[0], home, self._sockets, 0).reachable()

    def release(self, major: int) -> str:
        """The whole version, as in 15.18. DatabaseUnavailable."""
        return self._binaries(major).release

    # -- instances

    def make(self, resource: str, port: int, major: int) -> None:
        """A server without anything of the user, on a copy of a template."""
        with self._making:
            template = self._template(major)
        self._lay(resource, template)
        self.start(resource, port, major)

    def found(self, resource: str, master: str, password: str, database: str) -> None:
        """What the creator of an instance asked for: the master user, who is no superuser, and a first database."""
        with self.query(resource) as query:
            query(
                f"CREATE ROLE {identifier(master)} LOGIN CREATEDB CREATEROLE PASSWORD {literal(password)}"
                " IN ROLE rds_superuser"
            )
            query(f"ALTER DATABASE postgres OWNER TO {identifier(master)}")
            if database and database != "postgres":
                query(f"CREATE DATABASE {identifier(database)} OWNER {identifier(master)}")

    def set_password(self, resource: str, role: str, password: str) -> None:
        """Another password for the master user."""
        with self.query(resource) as query:
            query(f"ALTER ROLE {identifier(role)} PASSWORD {literal(password)}")

    def start(self, resource: str, port: int, major: int, settings: Sequence[str] = ()) -> None:
        """Start an instance's server on this port of 127.0.0.1. DatabaseUnavailable."""
        with self._lock_of(resource):
            wal = self._wal(resource)
            part, whole = shlex.quote(f"{wal}/.part"), shlex.quote(f"{wal}/")
            # The zeros behind a switch become a hole where cp can do that.
            copy = f"{{ cp --sparse=always %p {part} 2>/dev/null || cp %p {part}; }} && mv {part} {whole}%f"
            cluster = self._cluster(resource, port, major, [*_SETTINGS, f"archive_command={copy}", *settings])
            cluster.run()
            self._running[resource] = cluster

    def stop(self, resource: str) -> None:
        """End an instance's server, if it runs."""
        with self._lock_of(resource):
            cluster = self._running.pop(resource, None)
            if cluster is not None:
                cluster.stop()

    def stop_all(self) -> None:
        """End every server, all at the same time."""
        threads = [threading.Thread(target=self.stop, args=(one,)) for one in list(self._running)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def is_running(self, resource: str) -> bool:
        """Whether the server was started and not stopped."""
        return resource in self._running

    def has_died(self, resource: str) -> bool:
        """Whether the server ended without being told to."""
        cluster = self._running.get(resource)
        return cluster is not None and not cluster.is_alive

    def remove_all(self, resources: Iterable[str]) -> None:
        """End and remove several, all at the same time."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.remove, resources))

    def remove(self, resource: str, *, keep_wal: bool = False) -> None:
        """End the server and remove its data; its archived WAL too, unless a backup needs it."""
        self.stop(resource)
        shutil.rmtree(self.folder / "instances" / resource, ignore_errors=True)
        if not keep_wal:
            shutil.rmtree(self.folder / "wal" / resource, ignore_errors=True)

    @contextmanager
    def query(self, resource: str, database: str = ADMIN) -> Iterator[Query]:
        """Statements as RDS's own superuser, by default in its database. DatabaseUnavailable."""
        with opened(self._of(resource).address, "handrail-laboratory", database=database) as query:
            yield query

    # -- backups

    def copy(self, resource: str, data: str) -> datetime:
        """A base backup of a running server into backups/`data`; returns the moment from which on WAL continues it."""
        cluster = self._of(resource)
        target = self.folder / "backups" / data
        half = target.with_name(f"{data}.part")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        cluster.hand_over(half)
        words = ["--pgdata", str(half), "--host", str(self._sockets), "--port", str(cluster.port)]
        cluster.program(
            "pg_basebackup", *words, "--username", ADMIN, "--checkpoint=fast", "--wal-method=fetch", "--no-sync"
        )
        half.rename(target)
        with self.query(resource) as query:
            return _utc(query("SELECT clock_timestamp()")[0][0])

    def duplicate(self, data: str, target: str) -> None:
        """A second copy of what lies in a backup."""
        shutil.copytree(self.folder / "backups" / data, self.folder / "backups" / target, symlinks=True)

    def forget(self, data: str) -> None:
        """Remove a backup's files."""
        if data:
            shutil.rmtree(self.folder / "backups" / data, ignore_errors=True)

    def forget_wal(self, resource: str, before: datetime) -> None:
        """Remove WAL that was archived before a backup began; the backup's own begins in a segment that ended later."""
        for path in self._wal(resource).iterdir():
            if path.suffix != ".history" and path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)

    def size(self, data: str) -> int:
        """Bytes of a backup."""
        return sum(path.stat().st_size for path in (self.folder / "backups" / data).rglob("*") if path.is_file())

    def revive(self, resource: str, port: int, major: int, data: str) -> None:
        """A new instance's server on what a backup holds."""
        self._lay(resource, self.folder / "backups" / data)
        self.start(resource, port, major)

    def recover(self, resource: str, port: int, major: int, *, data: str, source: str, moment: datetime) -> None:
        """A new instance's server on a backup and the WAL archived since, up to a moment. DatabaseUnavailable."""
        self._lay(resource, self.folder / "backups" / data)
        folder = self.folder / "instances" / resource / "d"
        (folder / "recovery.signal").touch(mode=0o600)
        self._cluster(resource, port, major).hand_over(folder / "recovery.signal")
        wal = shlex.quote(str(self.folder / "wal" / source).replace("%", "%%"))
        target = f"recovery_target_time={moment.astimezone(UTC).isoformat()}"
        asked = ("hot_standby=off", f"restore_command=cp {wal}/%f %p", target, "recovery_target_action=promote")
        self.start(resource, port, major, asked)

    def snapshot_text(self, resource: str) -> str:
        """Which transactions were under way and which was the last: when it stays the same, none was finished."""
        with self.query(resource) as query:
            return str(query("SELECT pg_current_snapshot()::text")[0][0])

    def flush(self, resource: str) -> datetime:
        """Have everything that was committed until now archived; returns the moment up to which it was."""
        with self.query(resource) as query:
            beat = _utc(query(_BEAT)[0][0])
            name = str(query("SELECT pg_walfile_name(pg_switch_wal() - 1)")[0][0])
        waited = 0.0
        while not (self._wal(resource) / name).exists():
            self._jobs.wait(0.02)
            waited += 0.02
            if waited > 60:
                raise DatabaseUnavailable(f"WAL segment {name} was not archived.", why="archive_command failed.")
        return beat

    # -- folders

    def _template(self, major: int) -> Path:
        home = self.folder / "templates" / str(major)
        data = home / "d"
        if (home / "made").exists():
            return data
        binaries = self._binaries(major)
        shutil.rmtree(data, ignore_errors=True)
        cluster = LabCluster(binaries, home, self._sockets, free_port(), [*_SETTINGS, "archive_mode=off"])
        cluster.hand_over(home)
        words = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]
        cluster.program("initdb", *words, f"--username={ADMIN}", "--auth=trust", "--pgdata", str(data))
        (data / "pg_hba.conf").write_text(_ACCESS)
        cluster.run()
        try:
            self._furnish(cluster)
        finally:
            cluster.stop()
        (home / "made").touch()
        return data

    def _furnish(self, cluster: LabCluster) -> None:
        with opened(cluster.address, "handrail-laboratory", database="postgres") as query:
            for statement in _OWN:
                query(statement)
        with opened(cluster.address, "handrail-laboratory") as query:
            query(_HEARTBEAT)

    def _lay(self, resource: str, source: Path) -> None:
        home = self.folder / "instances" / resource
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        shutil.copytree(source, home / "d", symlinks=True)
        for name in ("postmaster.opts", "recovery.signal", "backup_manifest"):
            (home / "d" / name).unlink(missing_ok=True)
        LabCluster(find_server_binaries()[0], home, self._sockets, 0).hand_over(home)

    def _wal(self, resource: str) -> Path:
        wal = self.folder / "wal" / resource
        if not wal.is_dir():
            wal.mkdir(mode=0o700)
            LabCluster(find_server_binaries()[0], wal, self._sockets, 0).hand_over(wal)
        return wal

    def _cluster(self, resource: str, port: int, major: int, settings: Sequence[Any] = ()) -> LabCluster:
        home = self.folder / "instances" / resource
        return LabCluster(self._binaries(major), home, self._sockets, port, settings)

    def _of(self, resource: str) -> LabCluster:
        cluster = self._running.get(resource)
        if cluster is None:
            raise DatabaseUnavailable(f"The server of {resource} does not run.")
        return cluster

    def _lock_of(self, resource: str) -> threading.RLock:
        with self._making:
            return self._locks.setdefault(resource, threading.RLock())


def _utc(value: Any) -> datetime:
    assert isinstance(value, datetime)  # noqa: S101 - the statement says so
    return value.astimezone(UTC)
