"""Litestream's program: found, asked for its release, called, and kept running in the foreground."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from handrail.backups.moments import ArchiveError
from handrail.errors import LockNotObtained, UsageError

#: The oldest that the tests were run on; 0.3 and 0.4 write another format, which 0.5 does not read.
FLOOR: Final = (0, 5, 12)
#: It repeats what a store refuses for longer than anybody waits.
_SECONDS: Final = 30
_RESTORE_SECONDS: Final = 24 * 3600
_SECRETS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LITESTREAM_SECRET_ACCESS_KEY",
    "LITESTREAM_AZURE_ACCOUNT_KEY",
)
_INSTALL: Final = "pip install 'handrail[litestream]'"
LOCK: Final = "running"


class Program:
    """Litestream as it is started with this environment.

    It fails where AWS_CA_BUNDLE is set (0.5.17: its HTTP client takes no such setting); what the variable means, it
    reads from SSL_CERT_FILE."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        bundle = self._environ.pop("AWS_CA_BUNDLE", "")
        if bundle:
            self._environ.setdefault("SSL_CERT_FILE", bundle)

    def path(self) -> str:
        """Beside this Python, where pip puts it, or on the PATH. UsageError when it is in neither place."""
        beside = Path(sys.executable).with_name("litestream")
        found = (
            str(beside) if os.access(beside, os.X_OK) else shutil.which("litestream", path=self._environ.get("PATH"))
        )
        if found is None:
            raise UsageError(
                "litestream is not installed",
                why="SQLite's archive is kept by it, and it is not part of handrail itself",
                hint=_INSTALL,
                code="HR564",
            )
        return found

    def release(self) -> str:
        """ "0.5.17". UsageError for one that is too old or cannot be asked."""
        said = self.call(["version"], "litestream does not say which one it is").strip()
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
        if found is None or tuple(map(int, found.groups())) < FLOOR:
            raise UsageError(
                f"litestream {said or '?'} is too old",
                why=f"handrail works with {'.'.join(map(str, FLOOR))} and newer; 0.3 writes another format",
                hint=f"{_INSTALL} --upgrade",
                code="HR564",
            )
        return found[0]

    def call(self, words: Sequence[str], what: str) -> str:
        """What it says on stdout. ArchiveError with `what` and its own words when it fails; nothing secret in them."""
        seconds = _RESTORE_SECONDS if words[0] == "restore" else _SECONDS
        try:
            done = subprocess.run(
                [self.path(), *words], env=self._environ, capture_output=True, timeout=seconds, umask=0o077, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ArchiveError(what, why=f"litestream did not answer within {seconds} s") from error
        except OSError as error:
            raise ArchiveError(what, why=f"litestream cannot be started: {error.strerror or error}") from error
        if done.returncode:
            raise ArchiveError(
                what,
                why=self._words(done.stderr + b"\n" + done.stdout, done.returncode),
                hint="handrail archive status",
            )
        return done.stdout.decode(errors="replace")

    def _words(self, said: bytes, code: int) -> str:
        """The line that it ends with, without anything secret."""
        lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
        told = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")] or lines[-1:]
        return f"litestream says: {self.cleaned(told[-1])}" if told else f"litestream ended with {code}"

    def cleaned(self, text: str) -> str:
        """Without the secrets of the environment."""
        for name in _SECRETS:
            text = text.replace(self._environ.get(name) or "\0", "…")
        return text

    def start(self, words: Sequence[str], inherited: int) -> subprocess.Popen[bytes]:
        """In a session of its own, so that only we pass signals on; it keeps `inherited` open."""
        return subprocess.Popen([self.path(), *words], env=self._environ, pass_fds=(inherited,), start_new_session=True)


def keeper(folder: Path) -> str | None:
    """Who keeps the archive now ("process 812"); None when nobody does. It holds the lock as long as it lives."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return f"process {file.read().strip() or '?'}"
    return None


def keep_running(program: Program, words: Sequence[str], folder: Path) -> int:
    """Run it until it ends or we are told to end, which it is told too. LockNotObtained when another one runs.

    The lock is inherited: if this process is killed, Litestream goes on, and the lock says so."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockNotObtained(
                "the archive is kept already",
                why=f"litestream runs as {keeper(folder) or 'another process'}",
                hint="end that one first, or leave it be: handrail archive status",
                code="HR568",
            ) from None
        process = program.start(words, lock.fileno())
        lock.truncate()
        lock.write(str(process.pid))
        lock.flush()
        with _signals_to(process):
            return process.wait()


@contextmanager
def _signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass on what asks us to end; Litestream brings the last changes to the archive before it does."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        process.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
