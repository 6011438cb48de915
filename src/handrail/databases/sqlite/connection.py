"""Opening SQLite files for reading and writing, and turning SQLite's complaints into handrail's errors."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from handrail.databases.sqlite.stand_ins import missing, stand_in
from handrail.errors import BackupError, DatabaseUnavailable, HandrailError, LockNotObtained

MAGIC = b"SQLite format 3\x00"
#: How long a read waits for a lock that another program holds.
BUSY_SECONDS = 5.0
COMPANIONS = ("-wal", "-shm", "-journal")


def connect(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open an existing file (`mode="rwc"` makes it) in autocommit mode; usable from any one thread at a time."""
    return _connect(f"file:{quote(str(path))}?mode={mode}")


def connect_unchanging(path: Path) -> sqlite3.Connection:
    """Read a file that nobody else knows: no locks, no -wal and -shm."""
    try:
        return _connect(f"file:{quote(str(path))}?mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise translate(path, error) from error


def _connect(uri: str) -> sqlite3.Connection:
    """With the function REGEXP, which SQLAlchemy gives each connection of the application, too: CHECKs may use it."""
    raw = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    raw.create_function("regexp", 2, _regexp, deterministic=True)
    return raw


def _regexp(pattern: str, value: str | None) -> bool | None:
    return None if value is None else re.search(pattern, value) is not None


@contextmanager
def reading(path: Path, *, compares: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection inside one read transaction, whose snapshot is taken before the block begins. What `compares` values
    is not given stand-ins for collations of the application's own."""
    check_file(path)
    with translated(path):
        raw = connect(path)
        try:
            begin_snapshot(raw)
            if not compares:
                stand_in(raw)
            yield raw
        finally:
            raw.close()


def begin_snapshot(raw: sqlite3.Connection) -> None:
    """Fix what this connection sees until its transaction ends."""
    raw.execute("BEGIN")
    raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def check_file(path: Path) -> None:
    """Raise DatabaseUnavailable unless there is a file. It is not opened here: closing it again would drop the POSIX
    locks of every connection that this process has to it; SQLite itself tells when it is no database."""
    if path.is_dir():
        raise DatabaseUnavailable(
            f"{path} is a folder, not a SQLite database.", hint="Name the database file in `url`."
        )
    if not path.exists():
        raise DatabaseUnavailable(
            f"There is no SQLite database at {path}.",
            why="The link points to nothing." if path.is_symlink() else "",
            hint="Check `url`, or run `handrail upgrade` to make the database.",
        )


def require_writable(path: Path) -> None:
    """Raise DatabaseUnavailable when the file, or the folder in which SQLite makes its journal, may not be written."""
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            raise DatabaseUnavailable(
                f"The SQLite database {path} is read-only.",
                why=f"{place} may not be written.",
                hint=f"Give the file and its folder write rights: `ls -ld {path.parent} {path}`.",
            )


def _not_a_database(path: Path) -> DatabaseUnavailable:
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except OSError as error:
        return _refused(path, error.strerror or str(error))
    return DatabaseUnavailable(
        f"{path} is not a SQLite database.",
        why=f"Its first bytes are {first!r}, not {MAGIC!r}: another kind of file, an encrypted or a damaged database.",
        hint="Check `url`; `handrail backup list` shows what can be restored.",
    )


def _refused(path: Path, reason: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The SQLite database {path} cannot be opened.",
        why=reason,
        hint=f"SQLite needs to read and write the file and its folder: `ls -ld {path.parent} {path}`.",
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors about this file into handrail's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(path, error) from error


def translate(path: Path, error: sqlite3.Error) -> HandrailError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockNotObtained(
            f"{path} stayed locked by another program.",
            why=f"SQLite waited {BUSY_SECONDS:g} seconds: {error}.",
            hint=f"Find it with `fuser {path}`, end its transaction, and try again.",
        )
    if primary == sqlite3.SQLITE_FULL:
        return no_space(path, str(error))
    if primary == sqlite3.SQLITE_NOTADB:
        return _not_a_database(path)
    if primary == sqlite3.SQLITE_CORRUPT:
        return DatabaseUnavailable(
            f"{path} is damaged.",
            why=f"SQLite says: {error}.",
            hint="`handrail backup list` shows what can be restored.",
        )
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return _refused(path, f"SQLite says: {error}.")
    if what := missing(error):
        return DatabaseUnavailable(
            f"Reading {path} needs {what}, which only the application has.",
            why=f"SQLite says: {error}. handrail reads the file without the application.",
            hint="What an index or a key is ordered by, or a generated column computes, must be SQLite's own.",
        )
    return DatabaseUnavailable(f"Reading {path} failed.", why=f"SQLite says: {error}.", hint="Run `handrail doctor`.")


def no_space(path: Path, reason: str) -> BackupError:
    """The disk of `path` is full; says how much room there is."""
    free = "unknown"
    with suppress(OSError):
        free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB"
    return BackupError(
        f"No space left while writing {path.name}.", why=f"{reason}; free in {path.parent}: {free}.", hint="Make room."
    )


def remove_file(path: Path) -> bool:
    """Remove a database and its companions; True when there was one."""
    there = path.exists()
    path.unlink(missing_ok=True)
    remove_companions(path)
    return there


def remove_companions(path: Path) -> None:
    """Remove what SQLite keeps beside a file that nobody has open; nothing was written that is only there."""
    for suffix in COMPANIONS:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def make_file(path: Path, mode: int = 0o600) -> int:
    """Make a new file that only its owner can read and return its descriptor; FileExistsError when it is there."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
