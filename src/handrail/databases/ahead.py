"""Reading ahead in a thread: what decompresses, decrypts and digests works while what was read is written elsewhere."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: Held are two of these: one that is being used, one that is being read.
PIECE = 1 << 20
#: tarfile copies what is left of its buffer at every read: with one of 1 MiB it copied thirty times what it read.
_TAR_BUFFER = 1 << 14


@contextmanager
def ahead(source: BinaryIO) -> Iterator[BinaryIO]:
    """`source` to read, always one piece ahead. It raises here what reading the source raised, at that place; the end
    is told when the source has told it. Nobody reads the source any more when the block is left."""
    with ThreadPoolExecutor(1, "ahead") as thread:
        reader = _Ahead(source, thread)
        try:
            yield cast("BinaryIO", reader)
        finally:
            reader.stop()


class _Ahead(io.RawIOBase):
    def __init__(self, source: BinaryIO, thread: ThreadPoolExecutor) -> None:
        self._source, self._thread = source, thread
        self._spare = [bytearray(PIECE), bytearray(PIECE)]
        self._rest = memoryview(b"")
        self._next: Future[memoryview] = thread.submit(self._fill)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if not self._rest and len(view):
            self._rest = self._next.result()
            if self._rest:  # else the end stays what comes next
                self._next = self._thread.submit(self._fill)
        part = self._rest[: len(view)]
        view[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)

    def stop(self) -> None:
        with suppress(Exception):  # whoever left the block early has a reason of his own
            self._next.result()

    def _fill(self) -> memoryview:
        """A whole piece; less only before the end, nothing at it."""
        spare = memoryview(self._spare[0])
        self._spare.reverse()
        filled = 0
        while filled < PIECE and (data := self._source.read(PIECE - filled)):
            spare[filled : filled + len(data)] = data
            filled += len(data)
        return spare[:filled]


@contextmanager
def tar_ahead(source: BinaryIO) -> Iterator[tarfile.TarFile]:
    """A tar to read from beginning to end. When the block is left, the source has been read to its end as well: only
    then is it known that what was stored is whole."""
    with ahead(source) as content:
        buffer = io.BufferedReader(cast("io.RawIOBase", content), PIECE)  # reads of tarfile's buffer are small
        try:
            with tarfile.open(fileobj=buffer, mode="r|", bufsize=_TAR_BUFFER) as tar:
                tar.copybufsize = 8 * _TAR_BUFFER  # type: ignore[attr-defined]  # typeshed does not have it
                yield tar
            while buffer.read(PIECE):
                pass
        finally:
            buffer.detach()  # else it closes what it reads
