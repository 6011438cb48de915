"""Digesting one snapshot of a SQLite file in several processes: Python lets one thread at a time make digests.

`hold_snapshot` makes sure that all of them see the same. What a process cannot do (it was killed, SQLite complains) is
done by the caller's own connection, whose errors are the ones that are told: a digest is never missing a part.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from handrail.databases.sqlite.catalog import storage, table_columns
from handrail.databases.sqlite.digest import Digesting, Part, PartDigest, digest_part, one_by_one, rowid_name
from handrail.databases.sqlite.pages import Snapshot, hold_snapshot
from handrail.databases.sqlite.partition import cut
from handrail.errors import BackupError
from handrail.facts import TableName

#: Smaller files are read by the caller's own connection: starting processes takes a tenth of a second.
SMALLEST = 96 << 20
#: More processes would wait for the disk, not for a processor, and each takes some 10 MB.
_MOST = 4
#: Parts for each process, so that none waits long for the last one.
_PARTS = 4
_GRACE = 5.0
_READER = "handrail.databases.sqlite.reader"


class _ReaderGone(Exception):
    """A process has ended without an answer."""


class _Reader:
    """The caller's end of one process."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _READER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the caller, who ends this one in order
        )

    def tell(self, question: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened with a pipe
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise _ReaderGone from error

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - opened with a pipe
        try:
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise _ReaderGone from error
        return answer

    def digest(self, part: Part) -> PartDigest:
        self.tell({"do": "digest", **asdict(part)})
        found = self.hear()
        return PartDigest(found["rows"], tuple(int(total, 16) for total in found["sums"]), found["seconds"])

    def kill(self) -> None:
        self._process.kill()

    def leave(self) -> None:
        """Let it close its connection and end; kill it when it does not."""
        assert self._process.stdin is not None  # noqa: S101 - opened with a pipe
        assert self._process.stdout is not None  # noqa: S101 - opened with a pipe
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Readers:
    """Some processes with connections of their own to a file; none of them sees anything before `begin`."""

    def __init__(self, path: Path, count: int) -> None:
        self._readers: list[_Reader] = []
        self._is_stopped = False
        with suppress(OSError):  # there is no room for more processes
            for _ in range(count):
                self._readers.append(_Reader(path))

    def __len__(self) -> int:
        return len(self._readers)

    def begin(self) -> None:
        """Begin a snapshot in each of them; when one cannot, all leave."""
        self._all({"do": "begin"})

    def end(self) -> None:
        """End the snapshots, for another `begin`."""
        self._all({"do": "end"})

    def leave(self) -> None:
        """End the processes, whose connections are closed first: nothing is left to them."""
        readers, self._readers = self._readers, []
        for one in readers:
            one.leave()

    def stop(self) -> None:
        """End them now, from another thread than the one that digests; which is told so by a BackupError."""
        self._is_stopped = True
        for one in self._readers:
            one.kill()

    def _all(self, question: dict[str, Any]) -> None:
        try:
            for one in self._readers:
                one.tell(question)
            for one in self._readers:
                one.hear()
        except _ReaderGone:
            self.leave()

    def digest(self, snapshot: Snapshot, tables: Sequence[Part]) -> Iterator[PartDigest]:
        """The digests of whole tables, in their order, as they are done."""
        if not self._readers:
            yield from one_by_one(snapshot.raw, tables)
            return
        raw, roots = snapshot.raw, storage(snapshot.raw)
        idle: SimpleQueue[_Reader] = SimpleQueue()
        for one in self._readers:
            idle.put(one)

        def read(part: Part) -> PartDigest | None:
            reader = idle.get()
            try:
                return reader.digest(part)
            except _ReaderGone:
                return None
            finally:
                idle.put(reader)

        with ThreadPoolExecutor(len(self._readers), "readers") as pool:
            asked: list[list[tuple[Part, Future[PartDigest | None]]]] = []
            for table in tables:
                count = _PARTS * len(self._readers) if rowid_name(table_columns(raw, table.table)) else 1
                parts = cut(snapshot, table, roots[TableName(table.table)], count)
                asked.append([(part, pool.submit(read, part)) for part in parts])
            for parts_of_table in asked:
                yield reduce(add, [done.result() or self._alone(raw, part) for part, done in parts_of_table])

    def _alone(self, raw: sqlite3.Connection, part: Part) -> PartDigest:
        if self._is_stopped:
            raise BackupError("Reading the database was given up.")
        return digest_part(raw, part)


@dataclass(frozen=True, slots=True)
class Joint:
    """A snapshot that is held here and by the readers."""

    snapshot: Snapshot
    readers: Readers

    def digesting(self) -> Digesting:
        """For `digest.fingerprint`: with all of them."""
        return lambda _raw, tables: self.readers.digest(self.snapshot, tables)

    def interrupt(self) -> None:
        """Make what another thread reads fail now."""
        self.readers.stop()
        self.snapshot.raw.interrupt()


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def hold_together(path: Path) -> Iterator[Joint]:
    """`hold_snapshot`, by as many processes as this machine's processors are worth for a file of its size."""
    size = path.stat().st_size if path.exists() else 0
    count = min(_processors(), _MOST)
    readers = Readers(path, count if size >= SMALLEST and count > 1 else 0)
    try:
        with hold_snapshot(path, readers) as snapshot:
            yield Joint(snapshot, readers)
    except BaseException:
        readers.stop()
        raise
    finally:
        readers.leave()
