"""How far a step is, told to whoever watches: bytes that pass a stream, revisions of a path."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from handrail.facts import OnTable, TableFingerprint
from handrail.migrations.revision import RevisionPath
from handrail.workflows.run import Amount, Run

if TYPE_CHECKING:
    from typing_extensions import Buffer


def revisions_done(path: RevisionPath, begun: str) -> Amount:
    """How many revisions of the path lie before the one that has just begun."""
    ids = [revision.id for revision in path.revisions]
    return Amount(ids.index(begun) if begun in ids else 0, len(ids), "revisions")


def rows_done(run: Run, step: str, total: int) -> OnTable:
    """Tells those who watch `step` how many of `total` rows have been digested, table by table."""
    done = 0

    def heard(table: TableFingerprint) -> None:
        nonlocal done
        done += table.rows
        run.say(step, "", "moving", Amount(done, total, "rows"))

    return heard


def counted(run: Run, step: str, stream: BinaryIO, total: int | None) -> BinaryIO:
    """`stream`, telling those who watch `step` how much has been read or written of about `total` bytes."""
    return cast("BinaryIO", _Counted(stream, partial(_tell, run, step, total)))


def _tell(run: Run, step: str, total: int | None, done: int) -> None:
    run.say(step, "", "moving", Amount(done, total, "bytes"))


class _Counted(io.RawIOBase):
    """Passes reads and writes on; `heard` is told the sum after each."""

    def __init__(self, stream: BinaryIO, heard: Callable[[int], None]) -> None:
        self._stream = stream
        self._heard = heard
        self._sum = 0

    def readable(self) -> bool:
        return self._stream.readable()

    def writable(self) -> bool:
        return self._stream.writable()

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._count(len(data))
        return data

    def write(self, data: Buffer, /) -> int:
        written = self._stream.write(data)
        self._count(written)
        return written

    def _count(self, more: int) -> None:
        self._sum += more
        self._heard(self._sum)
