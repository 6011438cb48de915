"""pgBackRest and Barman as tools of the contest, each with a configuration and an archive of WAL of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Commands
from bench.contest import Tool
from bench.postgres_server import Server
from bench.rivals import libraries, tool
from bench.watched import Command, Step, run_watched

Check = Callable[[Path], str]
_PGBACKREST_KNOWS = 15
_PGBACKREST = """[global]
repo1-path={place}/repository
lock-path={place}/lock
log-level-file=off
log-level-console=warn
compress-type=zst
process-max=2
start-fast=y
[bench]
pg1-path={data}
pg1-port={port}
pg1-socket-path={sockets}
pg1-user={user}
"""
_BARMAN = """[barman]
barman_home = {place}/home
barman_user = {me}
barman_lock_directory = {place}/home
configuration_files_directory = {place}/more
log_file = {place}/log
[bench]
description = bench
conninfo = {where}
streaming_conninfo = {where}
backup_method = postgres
streaming_archiver = on
slot_name = barman
create_slot = auto
path_prefix = {programs}
immediate_checkpoint = true
"""


def pgbackrest(server: Server, place: Path, check: Check) -> list[Tool]:
    """Nothing where it cannot be had. Debian 12's ends at PostgreSQL 15: what a newer server says to it is in the table."""
    program = tool("pgbackrest")
    if program is None or server.version > _PGBACKREST_KNOWS:
        return []
    home = place / "pgbackrest"
    store, settings, copy = home / "repository", home / "conf", home / "pgbackrest"

    def called(*words: str) -> Command:
        full = [str(copy), f"--config={settings}", "--stanza=bench", *words]
        return Command(full, account=server.account)

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        for folder in (home, store, home / "lock"):
            server.given(folder)
        home.chmod(0o711)
        place.chmod(0o711)
        shutil.copy(program, copy)  # its own place may be closed to the server's account
        words = {
            "place": home,
            "data": server.data,
            "port": server.port,
            "sockets": server.sockets,
            "user": server.user,
        }
        settings.write_text(_PGBACKREST.format(**words))
        run_watched(called("stanza-create"), home / "log")

    def archived(command: str) -> Callable[[], object]:
        set_it = f"ALTER SYSTEM SET archive_command = '{command}'"
        return lambda: server.execute(set_it, "SELECT pg_reload_conf()")

    def make(number: int) -> Sequence[Step]:
        on = archived(f"{copy} --config={settings} --stanza=bench archive-push %p")
        first: list[Step] = [prepare] if number == 0 else []
        kind = "full" if number == 0 else "incr"
        return [*first, on, called("backup", f"--type={kind}"), archived("/bin/true")]

    def restore(number: int, target: Path) -> Sequence[Step]:
        return [lambda: server.given(target), called(f"--pg1-path={target}", "restore")]

    return [
        Commands(
            "pgBackRest, zst, 2 processes", "base", store, make, restore, check, lambda _: [called("verify")],
            is_whole=False, note="increments of whole files (2.45)",
        )
    ]  # fmt: skip


def barman(server: Server, place: Path, check: Check, *, increments: bool) -> list[Tool]:
    """By streaming, its receiver of WAL running while it makes backups; increments from PostgreSQL 17 on."""
    program, rsync = tool("barman"), tool("rsync")
    if program is None or rsync is None:
        return []
    path = os.pathsep.join((str(Path(rsync).parent), os.environ.get("PATH", "")))
    made = _Barman(server, place / "barman", program, {"PATH": path, **libraries()}, increments)
    return [
        Commands(
            "Barman, streaming", "base", made.store, made.make, made.restore, check,
            lambda _: [made.called("verify-backup", "bench", "latest")], is_whole=not increments,
            note="size with the WAL it has received",
        )
    ]  # fmt: skip


@dataclass(slots=True)
class _Barman:
    server: Server
    home: Path
    program: str
    variables: Mapping[str, str]
    increments: bool
    receiver: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        return self.home / "home"

    def called(self, *words: str) -> Command:
        return Command([self.program, "-q", "-c", str(self.home / "conf"), *words], self.variables)

    def make(self, number: int) -> Sequence[Step]:
        first: list[Step] = [] if self.store.exists() else [self._prepare]
        more = ["--incremental", "latest"] if number and self.increments else []
        return [*first, self._receive, self.called("backup", *more, "bench"), self._finish]

    def restore(self, number: int, target: Path) -> Sequence[Step]:
        staging = ["--local-staging-path", str(self.home / "staging")] if number and self.increments else []
        return [self.called("restore", *staging, "bench", "latest", str(target))]

    def _prepare(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.store.mkdir(parents=True)
        me = pwd.getpwuid(os.geteuid()).pw_name
        where, programs = self.server.where("postgres"), self.server.bin_dir
        (self.home / "conf").write_text(_BARMAN.format(place=self.home, me=me, where=where, programs=programs))

    def _receive(self) -> None:
        """Until the backup is made; what cron does is done by hand."""
        self._started("receive-wal", "--create-slot", "--if-not-exists", "bench").wait()
        self.receiver = self._started("receive-wal", "bench")
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not list(self.store.glob("bench/streaming/*.partial")):
                time.sleep(0.05)
            self._switch()
        except BaseException:
            self._end()
            raise

    def _finish(self) -> None:
        try:
            self._switch()
        finally:
            self._end()

    def _end(self) -> None:
        if self.receiver is not None:
            self.receiver.terminate()
            self.receiver.wait()
            self.receiver = None
        self._started("receive-wal", "--drop-slot", "bench").wait()

    def _switch(self) -> None:
        run_watched(self.called("switch-wal", "--force", "--archive", "bench"), self.home / "words")

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        command, quiet = self.called(*words), subprocess.DEVNULL
        return subprocess.Popen(command.words, env={**os.environ, **self.variables}, stdout=quiet, stderr=quiet)
