"""Sending a file to the disk while it is still being written, so that little is left to wait for at its end.

It also keeps what waits for the disk small. Other programs' fsync may have to wait for all of it: ext4 has one journal
for everybody, and before it commits it writes the data that it refers to. Measured with 1 GB on ext4: written at once
and then synced it took 1.4 times as long as in steps of 16 MiB; smaller steps gained nothing.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor

STEP = 16 << 20
#: Of the file's content and size; macOS knows only the one that sends its times too.
send = getattr(os, "fdatasync", os.fsync)


class WriteBehind:
    """Tell it of every write; `finish` returns when everything is on the disk. Raises OSError as os.fsync does, also
    for what went wrong in the background. A file of less than a step needs no thread. Close it in any case."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = 0
        self._pool: ThreadPoolExecutor | None = None
        self._syncing: Future[None] | None = None

    def wrote(self, size: int) -> None:
        """Begin to send what waits, once it is a step; waits itself while the step before is under way."""
        self._waiting += size
        if self._waiting < STEP:
            return
        self._wait()
        self._pool = self._pool or ThreadPoolExecutor(1, "write-behind")
        self._syncing = self._pool.submit(send, self._descriptor)
        self._waiting = 0

    def finish(self) -> None:
        self._wait()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """End the thread: afterwards the descriptor may be closed."""
        if self._pool is not None:
            self._pool.shutdown()

    def _wait(self) -> None:
        # A kernel tells an error of writing back only once: the result must not be passed over.
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.result()
