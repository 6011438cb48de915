"""Reading the raw pages of a live SQLite file while one read snapshot is held.

Why this is right. The snapshot connection A holds a read lock for as long as pages are read.

* Rollback journal: A's SHARED lock keeps every writer from touching the file.
* WAL: a page is its newest frame among the first M frames, else the page in the file. M is exactly A's snapshot when
  the header of the shared WAL index is the same before and after A began (it changes with each commit); else A begins
  again. A's lock keeps the WAL from being restarted and checkpoints from moving frames after M into the file; frames up
  to M may move, and those we take from the WAL. When all M had been moved when A began, A may hold the lock that lets
  the WAL be restarted but no checkpoint begin; when they were moved just after, its lock keeps later frames out of the
  file. In both cases the file alone is the snapshot, and we read nothing else.

Other processes may hold the same snapshot (`Beside`). With a rollback journal they begin while A's lock lets nobody
commit, and leave when a writer that waits for that lock does not let them in. With a WAL they, too, begin between the
two readings of the WAL index, which each commit changes for good: all that began in between have seen the same.

Descriptors of the database and of the WAL index must outlive every connection of this process to the file: closing one
drops all POSIX locks that the process holds on it. So `Snapshot` opens them first and closes them last.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from handrail.databases.sqlite.connection import begin_snapshot, connect
from handrail.databases.sqlite.stand_ins import stand_in
from handrail.errors import BackupError

#: Read and written at once: what cp does, too. A piece of 1 MiB needs fresh memory each time.
CHUNK = 1 << 17
_WAL_HEADER = 32
_FRAME_HEADER = 24
#: The WAL index begins with two copies of its header, then says how many frames are in the file already.
_INDEX_COPY = 48
_INDEX_MAX_FRAME = 16
_INDEX_BACKFILLED = 96
_INDEX_SIZE = 136
_PIN_SECONDS = 10.0
#: For so long the others try to begin with us; where commits leave no such moment, they leave.
_TOGETHER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A held read transaction and what is needed to read its pages raw. `frames` maps page numbers to WAL offsets."""

    raw: sqlite3.Connection
    page_size: int
    page_count: int
    file: int
    wal: int | None
    frames: dict[int, int]

    def chunks(self) -> Iterator[bytes]:
        """The database's pages, in order, as pieces of about CHUNK bytes."""
        if not self.page_count:
            yield empty_database()
            return
        per_chunk = max(1, CHUNK // self.page_size)
        by_chunk: dict[int, list[int]] = {}
        for page in self.frames:
            if page <= self.page_count:
                by_chunk.setdefault((page - 1) // per_chunk, []).append(page)
        for number, first in enumerate(range(0, self.page_count, per_chunk)):
            pages = min(per_chunk, self.page_count - first)
            yield self._chunk(first, pages, by_chunk.get(number, ()))

    def _chunk(self, first: int, pages: int, patched: list[int] | tuple[()]) -> bytes:
        size = pages * self.page_size
        content = read_at(self.file, size, first * self.page_size)
        if len(content) == size and not patched:
            return content
        whole = bytearray(content.ljust(size, b"\0"))
        beyond = len(content) // self.page_size
        if not {*range(first + beyond + 1, first + pages + 1)} <= {*patched, self._lock_page()}:
            raise BackupError("The database file is shorter than its header says.", why="It is damaged or was cut.")
        for page in patched:
            start = (page - 1 - first) * self.page_size
            whole[start : start + self.page_size] = self._frame(page)
        return bytes(whole)

    def page(self, number: int) -> bytes:
        """One page; ValueError when there is none of that number."""
        if not 0 < number <= self.page_count:
            raise ValueError(f"page {number} of {self.page_count}")
        if number in self.frames:
            return self._frame(number)
        return read_at(self.file, self.page_size, (number - 1) * self.page_size)

    def heads(self, numbers: Iterable[int], length: int) -> Iterator[bytes]:
        """The first bytes of pages; ValueError when there is none of a number."""
        frames, file, size, read = self.frames, self.file, self.page_size, os.pread
        for number in numbers:
            if number in frames or not 0 < number <= self.page_count:
                yield self.page(number)[:length]
            else:
                yield read(file, length, (number - 1) * size)

    def _frame(self, page: int) -> bytes:
        assert self.wal is not None  # noqa: S101 - frames are only known when there is a WAL
        content = read_at(self.wal, self.page_size, self.frames[page])
        if len(content) != self.page_size:
            raise BackupError("The write-ahead log is shorter than its index says.", why="It was changed by no SQLite.")
        return content

    def _lock_page(self) -> int:
        """The page at 1 GiB, which SQLite never writes."""
        return (1 << 30) // self.page_size + 1


class Beside(Protocol):
    """Other processes with connections to the file, which are to hold the same snapshot."""

    def begin(self) -> None:
        """Begin a read transaction in each."""

    def end(self) -> None:
        """End these transactions, for another try."""

    def leave(self) -> None:
        """Close the connections."""


class _Nobody:
    def begin(self) -> None: ...
    def end(self) -> None: ...
    def leave(self) -> None: ...


@contextmanager
def hold_snapshot(path: Path, beside: Beside | None = None) -> Iterator[Snapshot]:
    """Hold a read snapshot of the (resolved) file; everything is released at exit, descriptors last. `beside` holds it,
    too, if it has not left by then; at the end it is made to leave."""
    others = beside or _Nobody()
    with ExitStack() as last:
        file = _open(path, last)
        raw = connect(path)
        last.callback(raw.close)
        is_wal = not _begin_without_wal(raw)
        if is_wal:
            wal, frames = _fix_wal(path, raw, last, others)
        else:
            others.begin()
            wal, frames = None, {}
        stand_in(raw)
        yield Snapshot(raw, _number(raw, "PRAGMA page_size"), _number(raw, "PRAGMA page_count"), file, wal, frames)
        others.leave()
        if is_wal:
            _catch_up(raw)


def _begin_without_wal(raw: sqlite3.Connection) -> bool:
    """Begin the snapshot of a file with a rollback journal; False, and none is begun, when it has a WAL. Asked again
    inside the snapshot: another program may have given it one since it was asked."""
    if _has_wal(raw):
        return False
    begin_snapshot(raw)
    if not _has_wal(raw):
        return True
    raw.execute("ROLLBACK")
    return False


def _has_wal(raw: sqlite3.Connection) -> bool:
    return bool(raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _catch_up(raw: sqlite3.Connection) -> None:
    """Move into the file what others committed while the snapshot kept checkpoints back: else the next writer would
    have to do it all, inside its commit. A passive checkpoint makes nobody wait and changes no content."""
    raw.execute("ROLLBACK")
    with suppress(sqlite3.Error):
        raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _fix_wal(path: Path, raw: sqlite3.Connection, last: ExitStack, others: Beside) -> tuple[int | None, dict[int, int]]:
    """Begin the snapshot of `raw` and the others between two equal readings of the WAL index; find out which frames
    belong to it."""
    # A first read makes SQLite recover and make the -wal and -shm files. They stay as long as `raw` is open.
    raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    wal, index = _open(Path(f"{path}-wal"), last), _open(Path(f"{path}-shm"), last)
    last.callback(raw.close)  # runs before the descriptors are closed; closing twice is harmless
    others.begin()  # they have started then, and the next time it takes them no time
    others.end()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < _PIN_SECONDS:
        if passed > _TOGETHER_SECONDS:
            others.leave()
        before = os.pread(index, _INDEX_SIZE, 0)
        others.begin()
        begin_snapshot(raw)
        after = os.pread(index, _INDEX_SIZE, 0)
        if before[:_INDEX_COPY] == after[:_INDEX_COPY] == after[_INDEX_COPY : 2 * _INDEX_COPY]:
            break
        raw.execute("ROLLBACK")
        others.end()
    else:
        raise BackupError(
            f"No moment without a commit was found in {_PIN_SECONDS:g} seconds.",
            why=f"Programs write to {path} without a pause.",
            hint="Try again when less is written.",
        )
    return _frames(raw, wal, after)


def _frames(raw: sqlite3.Connection, wal: int, index: bytes) -> tuple[int | None, dict[int, int]]:
    """The frames that a WAL index says are committed; no WAL when the file holds them all."""
    newest = int(struct.unpack_from("=I", index, _INDEX_MAX_FRAME)[0])
    backfilled = int(struct.unpack_from("=I", index, _INDEX_BACKFILLED)[0])
    if newest == backfilled:
        return None, {}
    return wal, _frame_offsets(wal, newest, _number(raw, "PRAGMA page_size"))


def _number(raw: sqlite3.Connection, question: str) -> int:
    return int(raw.execute(question).fetchone()[0])


def committed_pages(raw: sqlite3.Connection) -> Snapshot:
    """What was committed when `raw` began to write (BEGIN IMMEDIATE): until it commits, nobody can.

    The descriptors stay open, since closing them would drop the locks of `raw`: for a process that ends soon. OSError
    when there is no file, or its WAL has no shared index (locking_mode=EXCLUSIVE).
    """
    path = next(str(file) for _, name, file in raw.execute("PRAGMA database_list") if name == "main")
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    wal, frames = None, dict[int, int]()
    if _has_wal(raw):
        log = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        index = os.open(f"{path}-shm", os.O_RDONLY | os.O_CLOEXEC)
        wal, frames = _frames(raw, log, os.pread(index, _INDEX_SIZE, 0))
    return Snapshot(raw, _number(raw, "PRAGMA page_size"), _number(raw, "PRAGMA page_count"), file, wal, frames)


def _frame_offsets(wal: int, newest: int, page_size: int) -> dict[int, int]:
    """Page number to the offset of its newest content among the first `newest` frames."""
    step = _FRAME_HEADER + page_size
    offsets: dict[int, int] = {}
    for start in range(_WAL_HEADER, _WAL_HEADER + newest * step, step):
        offsets[int.from_bytes(os.pread(wal, 4, start), "big")] = start + _FRAME_HEADER
    return offsets


def _open(path: Path, stack: ExitStack) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    return descriptor


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the file."""
    content = os.pread(descriptor, size, offset)
    while len(content) < size and (more := os.pread(descriptor, size - len(content), offset + len(content))):
        content += more
    return content


def empty_database() -> bytes:
    """A database without tables, one page long: what a file of 0 bytes means."""
    raw = sqlite3.connect(":memory:")
    try:
        raw.executescript("CREATE TABLE t (a); DROP TABLE t; VACUUM;")
        return raw.serialize()
    finally:
        raw.close()
