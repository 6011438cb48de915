"""A store in a local folder: temporary file, fsync, hard link (which never overwrites), fsync of the folder.

A writer holds a lock on its temporary file, which ends with its process: so what a killed one left is told from what
another one is writing, and is removed by the next writer.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from handrail.stores.store import MissingObject, StoreError, checked_key, is_key
from handrail.stores.write_behind import WriteBehind

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PARTIAL = ".partial-"
_ATTEMPTS = 20


class FileStore:
    """Objects as files below `root`, folders 0700, files 0600. The folder is made at the first write."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._is_swept = False

    @property
    def place(self) -> str:
        return str(self._root)

    @contextmanager
    def open_write(self, key: str) -> Iterator[BinaryIO]:
        target = self._root / checked_key(key)
        message = f"cannot write {key} to the store {self._root}"
        with self._explained(message):
            self._require_folder()
            self._sweep()
            if target.exists():
                raise StoreError(f"{key} is already in the store {self._root}", why="objects are written once")
            temporary, descriptor = _begin(target.parent)
        try:
            with _NewObject(descriptor, "wb", lambda: self._explained(message)) as out:
                yield cast("BinaryIO", out)
                out.finish()
            with self._explained(message):
                os.link(temporary, target)
                _fsync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
            if target.parent != self._root:
                with suppress(OSError):  # it holds other objects, or this one
                    target.parent.rmdir()

    @contextmanager
    def open_read(self, key: str) -> Iterator[BinaryIO]:
        path = self._existing(key)
        message = f"cannot read {key} from the store {self._root}"
        with self._explained(message), self._or_missing(key):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with _ObjectFile(descriptor, "rb", lambda: self._explained(message)) as source:
            yield cast("BinaryIO", source)

    def size(self, key: str) -> int:
        path = self._existing(key)
        with self._explained(f"cannot read {key} from the store {self._root}"), self._or_missing(key):
            return path.stat().st_size

    def written_at(self, key: str) -> datetime:
        path = self._existing(key)
        with self._explained(f"cannot read {key} from the store {self._root}"):
            return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        folder = prefix.rpartition("/")[0]
        below = self._root / folder if folder and is_key(folder) else self._root
        with self._explained(f"cannot list the store {self._root}"):
            is_there = below == self._root or below.is_dir()
            if not is_there or not self._root.is_dir():
                self._require_folder()
            found = [path.relative_to(self._root).as_posix() for path in _files(below)] if is_there else []
        return tuple(sorted(key for key in found if key.startswith(prefix) and is_key(key)))

    def delete(self, key: str) -> None:
        path = self._existing(key)
        with self._explained(f"cannot delete {key} from the store {self._root}"):
            self._sweep()
            with self._or_missing(key):
                path.unlink()
            with suppress(FileNotFoundError):  # another one has removed the folder, empty by then
                _fsync_folder(path.parent)
        with suppress(OSError):
            path.parent.rmdir()

    def free_bytes(self) -> int | None:
        existing = next(folder for folder in (self._root, *self._root.absolute().parents) if folder.exists())
        return shutil.disk_usage(existing).free

    def _sweep(self) -> None:
        """Remove what killed writers left; once, for the store is walked."""
        if self._is_swept:
            return
        self._is_swept = True
        for path in [path for path in _files(self._root) if path.name.startswith(_PARTIAL)]:
            with suppress(OSError):
                _remove_abandoned(path)

    def _existing(self, key: str) -> Path:
        path = self._root / checked_key(key)
        with self._explained(f"cannot read {key} from the store {self._root}"):
            is_there = path.is_file()
        if not is_there:
            self._require_folder()
            raise self._missing(key)
        return path

    def _require_folder(self) -> None:
        """The store is a folder, or can be made one. StoreError where something else is in its place."""
        with self._explained(f"cannot look at the store {self._root}"):
            places = (self._root, *self._root.absolute().parents)
            there = next(place for place in places if place.exists() or place.is_symlink())
            if there.is_dir():
                return
            kind = "a file" if there.exists() else "a link that leads nowhere"
        raise StoreError(
            f"the store {self._root} is no folder",
            why=f"{there} is {kind}",
            hint="name a folder (`store`, `copies` or --to says which), or move that away",
        )

    def _missing(self, key: str) -> MissingObject:
        hint = "handrail backup list shows what the store holds"
        return MissingObject(f"{key} is not in the store {self._root}", hint=hint)

    @contextmanager
    def _or_missing(self, key: str) -> Iterator[None]:
        """Another one may have deleted the object a moment ago."""
        try:
            yield
        except FileNotFoundError as error:
            raise self._missing(key) from error

    @contextmanager
    def _explained(self, message: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            free = ""
            with suppress(OSError):
                free = f" ({(self.free_bytes() or 0) // 1_000_000} MB are free there)"
            raise StoreError(
                message,
                why=f"{error.strerror or error}{free}",
                hint="make room or rights there, or name another folder (`store`, `copies` or --to says which)",
            ) from error


class _ObjectFile(io.FileIO):
    """An object's file: says what failed as StoreError; errors of the code that uses it (a source that breaks, say) are
    not mistaken for the store's."""

    def __init__(self, descriptor: int, mode: str, explained: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(descriptor, mode)
        self._explained = explained

    def read(self, size: int | None = -1, /) -> bytes:
        with self._explained():
            return super().read(-1 if size is None else size) or b""

    def readall(self) -> bytes:
        with self._explained():
            return super().readall() or b""

    def readinto(self, buffer: Buffer, /) -> int:
        with self._explained():
            return super().readinto(buffer) or 0


class _NewObject(_ObjectFile):
    """An object's file that is being written: every write writes everything, and goes on to the disk meanwhile."""

    def __init__(self, descriptor: int, mode: str, explained: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(descriptor, mode, explained)
        self._behind = WriteBehind(descriptor)

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        written = 0
        with self._explained():
            while written < len(view):
                written += super().write(view[written:]) or 0
            self._behind.wrote(written)
        return written

    def finish(self) -> None:
        """Return when everything is on the disk."""
        with self._explained():
            self._behind.finish()

    def close(self) -> None:
        if not self.closed:
            self._behind.close()
        super().close()


def _files(root: Path) -> Iterator[Path]:
    """All files below `root`, none when it is missing. An unreadable folder raises: it must not look empty."""
    if not root.exists():
        return

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it was removed meanwhile
            raise error

    for folder, _, names in os.walk(root, onerror=refuse):
        yield from (Path(folder, name) for name in names)


def _begin(folder: Path) -> tuple[Path, int]:
    """A new temporary file in a folder that is made if need be; anew, when another one removes it while it is empty."""
    for _ in range(_ATTEMPTS):
        _make_folders(folder)
        with suppress(FileNotFoundError):
            return _make_partial(folder)
    _make_folders(folder)
    return _make_partial(folder)


def _make_partial(folder: Path) -> tuple[Path, int]:
    """A new temporary file, locked; where the file system knows no locks none is ever taken for abandoned."""
    while True:
        path = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another writer took it for abandoned before it was locked


def _remove_abandoned(path: Path) -> None:
    """Remove a temporary file, and its folder when that is empty then. OSError when its writer lives."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(descriptor)
    path.parent.rmdir()


def _make_folders(folder: Path) -> None:
    """Make `folder` and the missing ones above it, each 0700 and durable."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileNotFoundError):  # the one above was removed meanwhile: see _begin
            one.mkdir(mode=0o700, exist_ok=True)
            _fsync_folder(one.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
