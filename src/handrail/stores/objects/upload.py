"""One upload in parts, fed by whoever writes: four at a time, of 16 MiB unless so many would not hold the object.

The library's own file-like writer cannot be told to give up, and would leave what it has sent in the bucket for ever.
Its `put` of an iterator ends the upload at the server when the iterator raises: so the parts are pulled by a thread,
and the writer decides at the end whether there is more, whether it is whole, or whether it is given up.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

PART = 16 << 20
AT_ONCE = 4
#: S3's bound for one upload.
MOST_PARTS = 10_000
_PIECE = 1 << 20
_WAITING = 8


def part_for(expected: int) -> int:
    """How large the parts of an object of about so many bytes have to be: a fifth more than expected, in a tenth fewer
    parts than a bucket takes."""
    return max(PART, -(-expected * 12 // 90_000))


def _give_back() -> None:
    """Give the parts' memory back to the system: glibc keeps it with the threads that had it, beside what is needed
    next, which is reading the object back. Other C libraries do it by themselves, or cannot."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class _GivenUpError(Exception):
    """Ends the upload at the server."""


class Upload:
    """Feed `write`, then either `complete` or `give_up`. Raises what the library raised, at the next call."""

    def __init__(self, client: Any, path: str, attributes: dict[str, str], part: int = PART) -> None:
        self._part = part
        self._client = client
        self._path = path
        self._attributes = attributes
        self._pieces: queue.Queue[bytes | _GivenUpError | None] = queue.Queue(_WAITING)
        self._buffer = bytearray()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._thread.start()

    def write(self, data: memoryview) -> None:
        """Take the bytes; waits while the parts before them are under way."""
        for start in range(0, len(data), _PIECE):
            self._buffer += data[start : start + _PIECE]
            if len(self._buffer) >= _PIECE:
                self._hand_over(bytes(self._buffer))
                self._buffer.clear()

    def complete(self) -> None:
        """Return when the server has made the object of the parts."""
        if self._buffer:
            self._hand_over(bytes(self._buffer))
        self._hand_over(None)
        self._thread.join()
        _give_back()
        if self._failure is not None:
            raise self._failure

    def give_up(self) -> None:
        """End the upload at the server, as far as it can be reached; never raises."""
        while self._thread.is_alive():
            try:
                self._pieces.put(_GivenUpError(), timeout=0.1)
                break
            except queue.Full:
                # What waits will not be needed.
                self._drain()
        self._thread.join()

    def _drain(self) -> None:
        while True:
            try:
                self._pieces.get_nowait()
            except queue.Empty:
                return

    def _hand_over(self, piece: bytes | None) -> None:
        while True:
            if self._failure is not None:
                raise self._failure
            try:
                self._pieces.put(piece, timeout=0.5)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        import obstore

        try:
            obstore.put(
                self._client,
                self._path,
                self._parts(),
                attributes=self._attributes,
                use_multipart=True,
                chunk_size=self._part,
                max_concurrency=AT_ONCE,
            )
        except BaseException as error:  # it is raised in the writer's thread
            self._failure = error

    def _parts(self) -> Iterator[bytes]:
        while True:
            piece = self._pieces.get()
            if piece is None:
                return
            if isinstance(piece, _GivenUpError):
                raise piece
            yield piece
