"""Throwaway PostgreSQL clusters: made in a folder, started on a free port, ended and removed without a trace."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from handrail.databases.postgres.binaries import ServerBinaries, find_server_binaries
from handrail.errors import DatabaseUnavailable
from handrail.facts import DatabaseAddress

__all__ = ["ServerBinaries", "ThrowawayCluster", "find_server_binaries"]

USER = "handrail"
#: Durability is given up: what is in the cluster is a copy, or made by a test.
_SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "shared_buffers=64MB",
    "max_connections=60",
    "log_min_messages=warning",
    "listen_addresses=127.0.0.1",
)


#: Reads until this process closes the pipe or dies, then ends the server ($1) and removes the folder ($2).
_WATCH = """read -r _; kill -QUIT "$1" 2>/dev/null; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf "$2" """


class ThrowawayCluster:
    """A cluster that lives as long as its `with` block; `address` leads to its `postgres` database.

    Connections by the socket are trusted, and its folder is closed to other users; TCP connections need the password in
    `address`, random for each cluster. As root the server runs as `postgres`, else `nobody`.
    The folder is removed at exit; so it must not exist yet, or be empty. A kill of this process ends the server, too.
    `settings` ("wal_level=replica") come after those that make it quick.
    """

    #: How long it may take until connections are accepted.
    start_seconds = 60.0

    def __init__(self, binaries: ServerBinaries, folder: Path | None = None, settings: Sequence[str] = ()) -> None:
        self.binaries = binaries
        self._settings = tuple(settings)
        self.port = 0
        self._password = secrets.token_urlsafe(18)
        self._account = unprivileged_account()
        self._folder = folder or Path(tempfile.gettempdir()) / f"hr-pg-{secrets.token_hex(6)}"
        self._bin = binaries.bin_dir
        self._server: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> DatabaseAddress:
        return DatabaseAddress("postgresql", "postgres", "127.0.0.1", self.port, USER, self._password)

    @property
    def process_id(self) -> int:
        """The postmaster's pid; 0 when it does not run."""
        return self._server.pid if self._server is not None else 0

    @property
    def socket_folder(self) -> Path:
        return self._folder / "s"

    def __enter__(self) -> ThrowawayCluster:
        try:
            self._make()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server (a fast shutdown, after 10 seconds an immediate one) and remove the folder."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def restart(self) -> None:
        """Kill the server without a shutdown and start it again, on another port: it recovers from its WAL."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait()
        self._end()
        self._start()

    def restart_as_standby(self) -> None:
        """Start the server again in recovery, on another port: it reads what it has and waits for a primary that never
        comes. It needs `wal_level=replica` among its settings from the beginning."""
        self._end()
        signal_file = self._folder / "d" / "standby.signal"
        signal_file.touch()
        if self._account is not None:
            os.chown(signal_file, self._account.pw_uid, self._account.pw_gid)
        self._start()

    def _end(self) -> None:
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.kill()  # first: it must not outlive the server, whose pid may then be another's
            self._watch.wait()
            self._watch.stdin.close()
            self._watch = None
        if self._server is not None:
            for sign, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 10), (signal.SIGKILL, None)):
                self._server.send_signal(sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(seconds)
                    break
            self._server = None

    def _make(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        self.socket_folder.mkdir(mode=0o700)
        secret = self._folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        if self._account is not None:
            for path in (self._folder, self.socket_folder, secret):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        self._bin = self._reachable_programs()
        self._fill(secret)
        secret.unlink()

    def _fill(self, secret: Path) -> None:
        """Make the data folder; the file `secret` holds the password."""
        settings = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={USER}"]
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"]
        made = subprocess.run(
            [str(self._bin / "initdb"), *settings, *access, str(self._folder / "d")],
            capture_output=True, text=True, check=False, cwd=self._folder, **self._as_account(),
        )  # fmt: skip
        if made.returncode:
            raise self._failed("initdb failed", made.stderr)

    def _start(self) -> None:
        for attempt in range(5):
            self.port = self._choose_port()
            options = [word for setting in (*_SETTINGS, *self._settings) for word in ("-c", setting)]
            with (self._folder / "log").open("ab") as log:
                self._server = subprocess.Popen(
                    [str(self._bin / "postgres"), "-D", str(self._folder / "d"), "-p", str(self.port),
                     "-k", str(self.socket_folder), *options],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **self._as_account(),
                )  # fmt: skip
            if self._await_ready():
                self._watch_over(self._server.pid)
                return
            if attempt == 4 or "could not bind" not in self._log():  # someone else took the port meanwhile
                raise self._failed(f"PostgreSQL {self.binaries.release} did not start", self._log())

    def _choose_port(self) -> int:
        return free_port()

    def _watch_over(self, server: int) -> None:
        """Leave a shell behind that ends the server when this process is killed."""
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "handrail-watch", str(server), str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _await_ready(self) -> bool:
        """Wait until postmaster.pid says "ready", as pg_ctl does; False when the server ended or time is up."""
        assert self._server is not None  # noqa: S101 - _start made it
        deadline = time.monotonic() + self.start_seconds
        state = self._folder / "d" / "postmaster.pid"
        while time.monotonic() < deadline:
            if self._server.poll() is not None:
                return False
            with contextlib.suppress(OSError):
                lines = state.read_text().splitlines()
                if len(lines) > 7 and lines[7].strip() == "ready":
                    return True
            time.sleep(0.02)
        return False

    def _reachable_programs(self) -> Path:
        """The programs, copied into the folder when the server's account may not reach them (root's own cache)."""
        if self._account is None or all(parent.stat().st_mode & 0o001 for parent in self._bin.resolve().parents):
            return self._bin
        copy = self._folder / "install"
        shutil.copytree(self._bin.resolve().parent, copy, symlinks=True)
        for folder in (copy, copy / self._bin.name):
            folder.chmod(0o755)
        return copy / self._bin.name

    def _as_account(self) -> dict[str, Any]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        words: dict[str, Any] = {"env": {**environment, "LC_ALL": "C.UTF-8"}, "start_new_session": True}
        if self._account is not None:
            words |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return words

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            return (self._folder / "log").read_text(errors="replace")[-2000:]
        return ""

    def _failed(self, what: str, why: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"{what}.",
            why=why.replace(self._password, "***").strip(),
            hint=f"Try {self._bin / 'initdb'} by hand, or set HANDRAIL_PG_BIN to another server's programs.",
        )


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account a server started by root runs as; None for a user who is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise DatabaseUnavailable(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`.",
        hint="useradd --system postgres, or run as another user.",
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
