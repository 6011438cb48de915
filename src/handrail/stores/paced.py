"""A bound on how fast backups are uploaded, so that a run leaves the line to the application."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from handrail.stores.store import Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

_BURST = 0.5
_PIECE = 256 << 10


@dataclass(slots=True)
class Pace:
    """A token bucket: `rate` bytes a second, and half a second's worth at once. Shared by the stores of a run.

    Clock and sleep are given: what is decided is arithmetic. Whoever takes more than there is waits until it would be
    there, so every piece passes at once and the rate holds over time."""

    rate: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _tokens: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.rate * _BURST
        self._at = self.clock()

    def take(self, count: int) -> None:
        """Return when `count` more bytes may pass."""
        now = self.clock()
        self._tokens = min(self.rate * _BURST, self._tokens + (now - self._at) * self.rate)
        self._at = now
        self._tokens -= count
        if self._tokens < 0:
            self.sleep(-self._tokens / self.rate)


class PacedStore:
    """Another store whose objects are written no faster than `pace` lets; reading is not slowed down."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store = store
        self._pace = pace

    @property
    def place(self) -> str:
        return self._store.place

    @contextmanager
    def open_write(self, key: str) -> Iterator[BinaryIO]:
        with self._store.open_write(key) as out:
            yield cast("BinaryIO", _PacedWriter(out, self._pace))

    def open_read(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._store.open_read(key)

    def size(self, key: str) -> int:
        return self._store.size(key)

    def written_at(self, key: str) -> datetime:
        return self._store.written_at(key)

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        return self._store.keys(prefix)

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def free_bytes(self) -> int | None:
        return self._store.free_bytes()


class _PacedWriter(io.RawIOBase):
    """Passes writes on in small pieces, each when its time has come."""

    def __init__(self, out: BinaryIO, pace: Pace) -> None:
        self._out = out
        self._pace = pace

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            piece = view[start : start + _PIECE]
            self._pace.take(len(piece))
            self._out.write(piece)
        return len(view)
