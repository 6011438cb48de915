"""Reading an object in pieces, some ahead of the reader; a piece that is cut is asked for again.

So a connection that breaks costs one piece, not the read, and memory does not grow with the object.
"""

from __future__ import annotations

import io
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from handrail.stores.objects.failures import explained, is_of_the_network
from handrail.stores.store import StoreError

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIECE = 8 << 20
AHEAD = 4
_ATTEMPTS = 3
_FIRST_WAIT = 0.2


class Download(io.RawIOBase):
    """The bytes of an object, in order; `first` are those that are known already. StoreError says what failed, also in
    `read`, and then in each that follows: what comes behind a hole, or an end, would look like a damaged object."""

    def __init__(self, client: Any, path: str, size: int, message: str, *, first: bytes = b"") -> None:
        self._client = client
        self._path = path
        self._size = size
        self._message = message
        self._asked = len(first)
        self._piece = memoryview(first)
        self._coming: deque[Future[Buffer]] = deque()
        self._pool = ThreadPoolExecutor(AHEAD, "download")
        self._failure: StoreError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if not self._piece and not self._next():
            return 0
        taken = min(len(view), len(self._piece))
        view[:taken] = self._piece[:taken]
        self._piece = self._piece[taken:]
        return taken

    def close(self) -> None:
        if not self.closed:
            self._pool.shutdown(cancel_futures=True)
        super().close()

    def _next(self) -> bool:
        if self._failure is not None:
            raise self._failure
        while len(self._coming) < AHEAD and self._asked < self._size:
            end = min(self._asked + PIECE, self._size)
            self._coming.append(self._pool.submit(self._fetch, self._asked, end))
            self._asked = end
        if not self._coming:
            return False
        try:
            self._piece = memoryview(self._coming.popleft().result())
        except Exception as error:
            self._failure = explained(error, self._message)
            raise self._failure from error
        return True

    def _fetch(self, start: int, end: int) -> Buffer:
        """As the library has it: a copy as `bytes` took as much again for every piece that is under way."""
        import obstore
        from obstore.exceptions import GenericError

        for attempt in range(_ATTEMPTS):
            try:
                return obstore.get_range(self._client, self._path, start=start, end=end)
            except GenericError as error:
                if attempt == _ATTEMPTS - 1 or not is_of_the_network(error):
                    raise
                time.sleep(_FIRST_WAIT * 2**attempt)
        raise AssertionError("unreachable")
