"""Increments of a SQLite file: those pieces of it that changed since another copy, as a tar that plain tools can apply.

The tar holds, in their order, the pieces that differ, each under its number; then `size`, how long the file is; then
`digest`, that of all its pieces. A file is known by the digests of its pieces: they are kept beside a copy (its
inventory), tell what changed since it, and tell whether what was put together is the file that was copied.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from handrail.errors import BackupError

#: A multiple of most page sizes. Smaller ones find fewer unchanged pages beside a changed one, but 16 bytes are kept of
#: each: at this size a thousandth of the file.
PIECE = 1 << 14
_DIGEST = 16
_NAME = "{:012d}"
_HINT = "Choose another one: `handrail backup list`."


class Inventory:
    """The digests (BLAKE3, 128 bits) of a file's pieces, in their order."""

    def __init__(self, digests: bytes = b"") -> None:
        self.digests = bytearray(digests)
        self._rest = b""

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the file's bytes on, digesting them."""
        for chunk in chunks:
            for _ in self.pieces(chunk):
                pass
            yield chunk
        self.end()

    def pieces(self, chunk: bytes) -> Iterator[memoryview]:
        """Digest what is added to the file; each piece that is whole by now."""
        view = memoryview(self._rest + chunk if self._rest else chunk)
        whole = len(view) - len(view) % PIECE
        self._rest = bytes(view[whole:])
        for start in range(0, whole, PIECE):
            piece = view[start : start + PIECE]
            self._add(piece)
            yield piece

    def end(self) -> memoryview:
        """Digest the last piece, which is shorter; empty when there is none."""
        rest, self._rest = self._rest, b""
        if rest:
            self._add(rest)
        return memoryview(rest)

    def _add(self, piece: bytes | memoryview) -> None:
        self.digests += blake3(piece).digest(_DIGEST)

    def put(self, number: int, piece: bytes) -> None:
        """A piece that takes the place of another, or comes behind the last one. ValueError beyond that."""
        at = number * _DIGEST
        if not 0 <= at <= len(self.digests):
            raise ValueError(f"piece {number} of {len(self.digests) // _DIGEST}")
        self.digests[at : at + _DIGEST] = blake3(piece).digest(_DIGEST)

    def cut(self, size: int) -> None:
        """The file is that long now."""
        del self.digests[-(-size // PIECE) * _DIGEST :]

    def has(self, number: int, digest: bytes) -> bool:
        return self.digests[number * _DIGEST : (number + 1) * _DIGEST] == digest

    def hexdigest(self) -> str:
        """One digest for the whole file."""
        return blake3(self.digests).hexdigest()


def increment(chunks: Iterable[bytes], since: bytes, out: BinaryIO) -> Inventory:
    """Write the pieces that are not what the inventory `since` says to `out`; the inventory of the whole file."""
    before, now = Inventory(since), Inventory()
    size = 0
    with tarfile.open(fileobj=out, mode="w|", bufsize=1 << 17) as tar:

        def keep(piece: memoryview) -> None:
            number = len(now.digests) // _DIGEST - 1
            if piece and not before.has(number, bytes(now.digests[-_DIGEST:])):
                _add(tar, _NAME.format(number), bytes(piece))

        for chunk in chunks:
            size += len(chunk)
            for piece in now.pieces(chunk):
                keep(piece)
        keep(now.end())
        _add(tar, "size", str(size).encode())
        _add(tar, "digest", now.hexdigest().encode())
    return now


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))


def apply(path: Path, source: BinaryIO, inventory: Inventory) -> None:
    """Make of a file, of which this is the inventory, what it was when the increment was made. BackupError when the
    increment is not whole, or was built on another file."""
    told = {"size": b"", "digest": b""}
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=1 << 17) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                piece = content.read() if content else b""
                if entry.name in told:
                    told[entry.name] = piece
                    continue
                number = int(entry.name)
                inventory.put(number, piece)
                _write_at(descriptor, piece, number * PIECE)
        size = int(told["size"])
        os.ftruncate(descriptor, size)
        inventory.cut(size)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError("This is not a whole increment.", why=str(error), hint=_HINT) from error
    finally:
        os.close(descriptor)
    while source.read(1 << 17):  # only at its end is it known that the stored bytes are whole
        pass
    if inventory.hexdigest().encode() != told["digest"]:
        raise BackupError(
            "The increments do not fit the backup that they are to build on.",
            why="What was put together is not the file that was backed up.",
            hint=_HINT,
        )


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
