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
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from handrail.databases.sqlite.digest import Digesting
from handrail.databases.sqlite.inventory import Inventory, Known
from handrail.databases.sqlite.pages import Snapshot, hold_snapshot
from handrail.databases.sqlite.rows import Part, PartDigest, digest_part
from handrail.databases.sqlite.units import ByUnits
from handrail.errors import BackupError

#: Smaller files are read by the caller's own connection: starting processes takes a tenth of a second.
SMALLEST = 96 << 20
#: More processes would wait for the disk, not for a processor, and each takes some 10 MB.
_MOST = 4
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
        spans = [(one.above, one.upto, one.units) for one in part.spans]
        self.tell({"do": "digest", "table": part.table, "groups": part.groups, "spans": spans})
        found = self.hear()
        sums = tuple(int(total, 16) for total in found["sums"])
        return PartDigest(found["rows"], sums, found["seconds"], b64decode(found["units"]))

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

    def digest(self, snapshot: Snapshot, tables: Iterable[Iterable[Part]]) -> Iterator[Sequence[PartDigest]]:
        """Of each table the digests of its parts, in their order, as they are done."""
        raw = snapshot.raw
        if not self._readers:
            yield from ([digest_part(raw, part) for part in parts] for parts in tables)
            return
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
            for parts in tables:
                asked.append([(part, pool.submit(read, part)) for part in parts])
            for parts_of_table in asked:
                yield [done.result() or self._alone(raw, part) for part, done in parts_of_table]

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
        return ByUnits(self.snapshot, self.readers)

    def keeping(self, before: Known | None = None, now: Inventory | None = None) -> ByUnits:
        """The same; what is known of the units then is in its `found`."""
        return ByUnits(self.snapshot, self.readers, keeps=True, before=before or Known(), now=now)

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
