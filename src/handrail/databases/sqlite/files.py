"""Writing database files so that a name only ever stands for a whole, checked database."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from handrail.databases.sqlite.connection import (
    COMPANIONS,
    MAGIC,
    connect,
    connect_unchanging,
    make_file,
    no_space,
    remove_companions,
    remove_file,
    sync_folder,
)
from handrail.databases.sqlite.integrity import damage
from handrail.databases.sqlite.pages import CHUNK
from handrail.errors import BackupError, DatabaseUnavailable, LockNotObtained

INCOMING = ".incoming"
#: Writes a database into a new, empty file.
Filling = Callable[[Path], None]
#: How long the content of a live file may wait for other programs' transactions to end.
_REPLACE_SECONDS = 30.0


def pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(CHUNK):
        yield piece


@contextmanager
def incoming(target: Path, fill: Filling, mode: int = 0o600) -> Iterator[Path]:
    """A file beside `target` that `fill` wrote, checked to be a whole database; removed at exit unless renamed."""
    path = Path(f"{target}{INCOMING}")
    try:
        remove_file(path)
        os.close(make_file(path))
        fill(path)
        with ThreadPoolExecutor(1) as pool:
            settled = pool.submit(_settle, path, mode)
            _check(path)
            settled.result()
        yield path
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(path, error.strerror or "disk full") from error
        raise BackupError(f"{path} cannot be written.", why=error.strerror or str(error)) from error
    finally:
        remove_file(path)


def put_in_place(path: Path, target: Path) -> None:
    """Give a checked file its name, atomically; what a former file of that name left beside it goes first."""
    remove_companions(target)
    path.replace(target)
    sync_folder(target.parent)


def overwrite(live: Path, new: Path) -> None:
    """Make `new`'s content the live file's in one transaction of SQLite's own: other connections see either content."""
    source = connect_unchanging(new)
    try:
        target = connect(live)
        try:
            _backup(live, source, target)
        finally:
            target.close()
    finally:
        source.close()


def _backup(live: Path, source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _REPLACE_SECONDS

    def stop_waiting(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise LockNotObtained(
                f"{live} stayed locked by another program; it was not replaced.",
                why=f"A transaction on it did not end within {_REPLACE_SECONDS:g} seconds.",
                hint=f"Find it with `fuser {live}`, end it, and run `handrail recover`.",
            )

    if _page_size(source) != _page_size(target):
        target.execute("PRAGMA journal_mode=DELETE").fetchone()  # a WAL database cannot take another page size
    source.backup(target, pages=-1, progress=stop_waiting, sleep=0.05)
    target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _page_size(raw: sqlite3.Connection) -> int:
    return int(raw.execute("PRAGMA page_size").fetchone()[0])


def swap_damaged(live: Path, new: Path, aside: Path) -> None:
    """For a live file that SQLite cannot read: keep it and its companions under `aside`'s name, put `new` in place."""
    old = live.stat()
    new.chmod(old.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(new, old.st_uid, old.st_gid)
    os.link(live, aside)
    for suffix in COMPANIONS:
        companion = Path(f"{live}{suffix}")
        if companion.exists():
            companion.replace(f"{aside}{suffix}")
    put_in_place(new, live)


def write_pages(path: Path, content: Iterable[bytes]) -> None:
    """Fill a new file with the pages of a database."""
    with path.open("r+b", buffering=0) as file:
        for piece in content:
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]


def keep(content: Iterable[bytes], kept: Path, mode: int) -> None:
    """Make a file of the pages of a live database."""
    with incoming(kept, lambda path: write_pages(path, content), mode) as copy:
        put_in_place(copy, kept)


def is_damage(error: DatabaseUnavailable) -> bool:
    """Whether it says that a file is there and no database any more."""
    cause = error.__cause__
    code = cause.sqlite_errorcode & 0xFF if isinstance(cause, sqlite3.Error) else 0
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _settle(path: Path, mode: int) -> None:
    """Give a file that is written its mode; it is on the disk then."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: Path) -> None:
    with path.open("rb") as file:
        first = file.read(len(MAGIC))
    if first != MAGIC:
        raise BackupError(
            "The backup is not a SQLite database.",
            why=f"Its first bytes are {first!r}." if first else "It is empty.",
            hint="Choose another one: `handrail backup list`.",
        )
    raw = connect_unchanging(path)
    try:
        found = damage(raw)
    finally:
        raw.close()
    if found:
        raise BackupError(
            "The backup is damaged or was cut.",
            why=f"SQLite's quick_check says: {'; '.join(found)}.",
            hint="Choose another one: `handrail backup list`.",
        )
