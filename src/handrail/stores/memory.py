"""A store in memory, for tests of workflows; it passes the contract suite like any other."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import BinaryIO

from handrail.stores.store import MissingObject, StoreError, checked_key


class MemoryStore:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._times: dict[str, datetime] = {}

    @property
    def place(self) -> str:
        return "memory"

    @contextmanager
    def open_write(self, key: str) -> Iterator[BinaryIO]:
        self._refuse_existing(checked_key(key))
        buffer = io.BytesIO()
        yield buffer
        self._refuse_existing(key)  # another writer may have been quicker
        self._objects[key] = buffer.getvalue()
        self._times[key] = datetime.fromtimestamp(int(time.time()), UTC)

    @contextmanager
    def open_read(self, key: str) -> Iterator[BinaryIO]:
        yield io.BytesIO(self._existing(key))

    def size(self, key: str) -> int:
        return len(self._existing(key))

    def written_at(self, key: str) -> datetime:
        self._existing(key)
        return self._times[key]

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(sorted(key for key in self._objects if key.startswith(prefix)))

    def delete(self, key: str) -> None:
        self._existing(key)
        del self._objects[key]

    def free_bytes(self) -> int | None:
        return None

    def _refuse_existing(self, key: str) -> None:
        if key in self._objects:
            raise StoreError(f"{key} is already in the store memory", why="objects are written once")

    def _existing(self, key: str) -> bytes:
        found = self._objects.get(checked_key(key))
        if found is None:
            raise MissingObject(
                f"{key} is not in the store memory", hint="handrail backup list shows what the store holds"
            )
        return found
