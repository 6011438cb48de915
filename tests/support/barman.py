"""Barman for tests: installed beside handrail's environment, told about a server as `handrail archive setup` says, run."""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from handrail.archives.barman import BarmanArchive
from handrail.archives.barman_program import BarmanProgram
from handrail.facts import DatabaseAddress
from support.children import Child
from support.postgres import PostgresServer
from support.programs import REPOSITORY, unpack

#: psycopg2 has no wheels; the one named "binary" is the same module.
_WANTED = ("barman>=3.19,<4", "psycopg2-binary", "python-dateutil", "six")
NAME = "shop"
PASSWORD = "a:word of\\ours"
_SECONDS = 30.0


@cache
def obtain_barman() -> Path:
    """The program, in an environment of its own, as it would be on a server. Fails the test when it cannot be had."""
    folder = REPOSITORY / ".cache" / "barman"
    folder.parent.mkdir(exist_ok=True)
    program = folder / "bin" / "barman"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--no-deps", *_WANTED], check=True)
    return program


@cache
def obtain_rsync() -> Path:
    """The folder of rsync, without which Barman cannot restore: the machine's, else Debian's packages, unpacked."""
    found = shutil.which("rsync")
    if found:
        return Path(found).parent
    cache_folder = REPOSITORY / ".cache" / "programs"
    folder = cache_folder / "rsync"
    wrapper = folder / "rsync"
    if not wrapper.is_file():
        for package in ("rsync", "libpopt0", "libxxhash0"):
            unpack(package, cache_folder)
        libraries = next((cache_folder / "usr" / "lib").glob("*-linux-gnu"), None)
        assert libraries is not None, "the test needs the program rsync: apt-get install rsync"
        folder.mkdir(parents=True, exist_ok=True)
        script = f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {cache_folder}/usr/bin/rsync "$@"\n'
        part = folder / f"part.{os.getpid()}"
        part.write_text(script)
        part.chmod(0o755)
        part.rename(wrapper)
    return folder


class Lab:
    """Barman in a folder, which keeps the archive of one server. What it is told is what `instructions` print."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.temporary = Path(tempfile.gettempdir())
        self._receiver: Child[bytes] | None = None
        self._log = (folder / "receive-wal.log").open("wb")
        binaries = server.cluster.binaries.bin_dir
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PATH": os.pathsep.join([str(obtain_rsync()), str(binaries), os.environ["PATH"]]),
            "PGPASSFILE": str(folder / "pgpass"),
        }
        (folder / "barman.conf").write_text(
            f"[barman]\nbarman_user = {getpass.getuser()}\nbarman_home = {self.home}\n"
            f"configuration_files_directory = {folder}/barman.d\nlog_file = {folder}/barman.log\n"
        )
        (folder / "barman.d").mkdir()

    def archive(self, address: DatabaseAddress, *, clock: Callable[[], datetime] | None = None) -> BarmanArchive:
        program = BarmanProgram(str(obtain_barman()), str(self.folder / "barman.conf"), NAME, self.environ)
        return BarmanArchive(program, address, "production", clock or (lambda: datetime.now(UTC)))

    def set_up(self, address: DatabaseAddress) -> None:
        """Do what is printed: the roles, their passwords, Barman's configuration."""
        lines = next(one.text for one in self.archive(address).instructions() if "CREATE ROLE" in one.text).splitlines()
        database = next(line for line in lines if line.startswith("\\connect")).split()[1]
        statements = "\n".join(line for line in lines if not line.startswith("\\")).split(";")
        quoted = PASSWORD.replace("'", "''")
        passwords = [f"ALTER ROLE {role} PASSWORD '{quoted}'" for role in ("barman", "barman_streaming")]
        given = [one.strip() for one in statements if one.strip()]
        self.server.execute(self.server.address(database), [*given, *passwords])
        self.configure(address)

    def configure(self, address: DatabaseAddress) -> None:
        """Write Barman's files; again after a restart, since the port is another one then."""
        texts = {one.file: one.text for one in self.archive(address).instructions()}
        pgpass = self.folder / "pgpass"
        pgpass.touch(mode=0o600)
        written = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        pgpass.write_text(texts["~barman/.pgpass"].replace("PASSWORD", written))
        (self.folder / "barman.d" / f"{NAME}.conf").write_text(texts[f"/etc/barman.d/{NAME}.conf"])

    def barman(self, *words: str) -> str:
        done = subprocess.run(
            [obtain_barman(), "-c", self.folder / "barman.conf", *words],
            env=self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def receive(self) -> None:
        """Keep receiving WAL, as `barman cron` would; returns when it streams."""
        self._receiver = Child(
            [obtain_barman(), "-c", self.folder / "barman.conf", "receive-wal", NAME],
            env=self.environ, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip

        end = time.monotonic() + _SECONDS
        with self.server.connect(self.server.cluster.address) as connection:
            while not connection.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").fetchall():
                assert time.monotonic() < end, (self.folder / "receive-wal.log").read_text()
                time.sleep(0.02)

    def first_backup(self, address: DatabaseAddress) -> None:
        """Close a segment and begin another one, before which Barman archives nothing; then back up."""
        self.barman("receive-wal", "--create-slot", NAME)
        self.receive()
        self.server.execute(address, ["SELECT pg_switch_wal()", "SELECT pg_current_xact_id()"])
        self.barman("archive-wal", NAME)
        self.barman("backup", "--wait", NAME)

    def stop_receiving(self) -> None:
        if self._receiver is not None:
            self._receiver.terminate()
            self._receiver.wait(_SECONDS)
            self._receiver = None

    def close(self) -> None:
        self.stop_receiving()
        self._log.close()

    def arrived(self, address: DatabaseAddress) -> None:
        """Wait until everything that is committed is in the archive."""
        archive, end = self.archive(address), time.monotonic() + _SECONDS
        while (state := archive.state()).behind != 0.0:
            assert time.monotonic() < end, state
            time.sleep(0.05)


@contextmanager
def lab(server: PostgresServer, folder: Path) -> Iterator[Lab]:
    one = Lab(server, folder)
    try:
        yield one
    finally:
        one.close()
