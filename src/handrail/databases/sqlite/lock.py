"""One handrail run at a time on a SQLite file: an flock on a file beside it, released by the death of its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handrail.errors import DatabaseUnavailable, LockNotObtained

_POLL_SECONDS = 0.05


@contextmanager
def hold_lock(database: Path, run_id: str, wait: float) -> Iterator[None]:
    """Hold the lock of the (resolved) database file. The lock file stays: removing it would let two runs in."""
    path = Path(f"{database}.handrail-lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The lock file {path} cannot be made.",
            why=error.strerror or str(error),
            hint=f"handrail (as SQLite itself) must be able to write in the folder: `ls -ld {path.parent}`.",
        ) from error
    try:
        _acquire(descriptor, database, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"run {run_id}, pid {os.getpid()}".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, database: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "a run that has just begun"
                raise LockNotObtained(
                    f"Another handrail run holds {database}: {holder}.",
                    why=f"Only one run may work on a database at a time; waited {wait:g} seconds.",
                    hint="Wait for it to end, or look with `handrail status`.",
                ) from None
            time.sleep(min(_POLL_SECONDS, remaining))
        else:
            return
