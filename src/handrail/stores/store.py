"""The contract of a store: where artifacts and manifests lie.

* **Keys** are relative, "/"-separated, made of [A-Za-z0-9._-] parts; anything else (absolute, "..", empty parts) raises
  StoreError: a key read from a manifest is never trusted.
* **Write-once and atomic.** `open_write` makes the object visible only when its block ends without an exception; what
  a failed or killed writer left is never seen by `keys` or `open_read`. An existing key raises StoreError.
* **Durable.** When the block has ended, the bytes survive a power cut; when `delete` returns, so does the deletion.
* **Private.** Objects can be read only by the user who wrote them; in a bucket, by whom its policy lets.
* A missing key raises MissingObject, in `open_read`, `size`, `written_at` and `delete` alike.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol

from handrail.errors import BackupError

_KEY_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class StoreError(BackupError):
    """The store cannot be written, read or listed."""

    code = "HR510"


class MissingObject(StoreError):
    """There is nothing under this key."""

    code = "HR511"


class Store(Protocol):
    """A place for write-once objects."""

    @property
    def place(self) -> str:
        """Where the store is, for messages ("/srv/backups", "s3://bucket/prefix"); never a secret."""
        ...

    def open_write(self, key: str) -> AbstractContextManager[BinaryIO]: ...

    def open_read(self, key: str) -> AbstractContextManager[BinaryIO]: ...

    def size(self, key: str) -> int: ...

    def written_at(self, key: str) -> datetime:
        """When the object was written, by the clock of where it lies; aware, to the second."""
        ...

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        """All keys that begin with `prefix`, sorted."""
        ...

    def delete(self, key: str) -> None: ...

    def free_bytes(self) -> int | None:
        """Bytes that still fit, None when the store knows no limit."""
        ...


def is_key(text: str) -> bool:
    return all(_KEY_PART.fullmatch(part) for part in text.split("/"))


def checked_key(key: str) -> str:
    """The key itself when it is well formed; StoreError otherwise."""
    if not is_key(key):
        raise StoreError(
            f"{key!r} is not a key of a store",
            why="keys are relative paths of letters, digits, dot, dash and underscore",
            hint="if it comes from a manifest, the manifest was altered: do not use this backup",
        )
    return key
