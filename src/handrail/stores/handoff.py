"""Bytes handed from one thread to another, for a library that pulls where ours push, or pushes where ours pull.

At most ROOM bytes wait. Either side can end it: the writer by `end`, anybody by `fail`, which wakes both sides.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

ROOM = 1 << 20
_PIECE = 1 << 18


class Handoff:
    """A bounded queue of bytes between one writing and one reading thread."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._has_ended = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, piece: bytes) -> None:
        """Wait for room and add a piece. Raises what `fail` was given."""
        with self._changed:
            while self._waiting >= ROOM and self._failure is None:
                self._changed.wait()
            self.check()
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()

    def take(self) -> bytes:
        """Wait for the next piece; b"" when the writer has ended. Raises what `fail` was given."""
        with self._changed:
            while not self._pieces and not self._has_ended and self._failure is None:
                self._changed.wait()
            self.check()
            if not self._pieces:
                return b""
            piece = self._pieces.popleft()
            self._waiting -= len(piece)
            self._changed.notify_all()
            return piece

    def end(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Stop both sides; the first failure is the one that they are told."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what `fail` was given."""
        if self._failure is not None:
            raise self._failure


class HandoffReader(io.RawIOBase):
    """The reading side as a file."""

    def __init__(self, handoff: Handoff) -> None:
        self._handoff = handoff
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if not self._rest and len(view):
            self._rest = memoryview(self._handoff.take())
        part = self._rest[: len(view)]
        view[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


class HandoffWriter(io.RawIOBase):
    """The writing side as a file. Small writes are gathered; `finish` hands the last ones over and ends."""

    def __init__(self, handoff: Handoff) -> None:
        self._handoff = handoff
        self._gathered = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        self._gathered += view
        if len(self._gathered) >= _PIECE:
            self._hand_over()
        return len(view)

    def finish(self) -> None:
        if self._gathered:
            self._hand_over()
        self._handoff.end()

    def _hand_over(self) -> None:
        piece = bytes(self._gathered)
        self._gathered.clear()
        self._handoff.put(piece)
