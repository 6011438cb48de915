"""Increments of a SQLite file: those pieces of it that changed since another copy, as a tar that plain tools can apply.

The tar holds `piece`, how many bytes a piece has; then, in turn, `NUMBER.places` and `NUMBER.pieces`: where pieces
that follow each other begin and how many they are (`12 3`: the pieces 12, 13 and 14), a line each, and these pieces,
one behind the other; then `size`, how long the file is; and `digest`, that of the digests of all its pieces. A file is
known by these: they are kept beside a copy (its inventory), tell what changed since it, and tell whether what was put
together is the file that was copied.

Tars of the first form have an entry for each piece, under its number, and do not say how many bytes a piece has.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from handrail.databases.sqlite.inventory import FIRST_PIECE, Inventory
from handrail.databases.sqlite.pages import CHUNK
from handrail.errors import BackupError

#: So many bytes of pieces are an entry.
_ENTRY = 1 << 20
_HINT = "Choose another one: `handrail backup list`."


def whole(chunks: Iterable[bytes], piece: int, out: BinaryIO) -> Inventory:
    """Write a file, of pieces of that size, to `out`; its inventory."""
    inventory = Inventory(piece=piece)
    for chunk in inventory.through(chunks):
        out.write(chunk)
    return inventory


def increment(chunks: Iterable[bytes], since: Inventory, out: BinaryIO) -> Inventory:
    """Write the pieces that are not what the inventory `since` says to `out`; the inventory of the whole file."""
    now, size = Inventory(piece=since.piece), 0
    with tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK) as tar:
        _add(tar, "piece", str(now.piece).encode())
        entries = _Entries(tar)

        def keep(first: int, pieces: memoryview) -> None:
            for number in now.differing(since, first, len(now)):
                at = (number - first) * now.piece
                entries.add(number, pieces[at : at + now.piece])

        for chunk in chunks:
            size += len(chunk)
            keep(len(now), now.add(chunk))
        keep(len(now), now.end())
        entries.end()
        _add(tar, "size", str(size).encode())
        _add(tar, "digest", now.hexdigest().encode())
    return now


class _Entries:
    """Pieces on their way into the tar."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._number = 0
        self._content = bytearray()
        self._runs: list[list[int]] = []

    def add(self, number: int, piece: memoryview) -> None:
        if self._runs and sum(self._runs[-1]) == number:
            self._runs[-1][1] += 1
        else:
            self._runs.append([number, 1])
        self._content += piece
        if len(self._content) >= _ENTRY:
            self.end()

    def end(self) -> None:
        """Write what was gathered."""
        if self._runs:
            places = "".join(f"{first} {count}\n" for first, count in self._runs)
            _add(self._tar, f"{self._number:06d}.places", places.encode())
            _add(self._tar, f"{self._number:06d}.pieces", bytes(self._content))
            self._number += 1
            self._runs.clear()
            self._content.clear()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))


def apply(path: Path, increments: Iterable[BinaryIO]) -> None:
    """Make of a file what it was when the last of these increments, oldest first, was made. BackupError when one of
    them is not whole, or they were built on another file."""
    with path.open("r+b", buffering=0) as file:
        piece, digest = FIRST_PIECE, ""
        for source in increments:
            piece, digest = _apply_one(file.fileno(), source)
        now = Inventory(piece=piece)
        file.seek(0)
        for _ in now.through(iter(lambda: file.read(CHUNK), b"")):
            pass
    if digest and now.hexdigest() != digest:
        raise BackupError(
            "The increments do not fit the backup that they are to build on.",
            why="What was put together is not the file that was backed up.",
            hint=_HINT,
        )


def _apply_one(file: int, source: BinaryIO) -> tuple[int, str]:
    """Write the pieces of an increment; how large they are, and the digest that the file has then."""
    try:
        found = _Writer(file)
        with tarfile.open(fileobj=source, mode="r|", bufsize=CHUNK) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                found.take(entry.name, content.read() if content else b"")
        size, digest = int(found.told["size"]), found.told["digest"].decode()
        os.ftruncate(file, size)
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise BackupError("This is not a whole increment.", why=str(error), hint=_HINT) from error
    while source.read(CHUNK):  # only at its end is it known that the stored bytes are whole
        pass
    return found.piece, digest


class _Writer:
    """Writes what the entries of an increment hold to a file."""

    def __init__(self, file: int) -> None:
        self.piece = FIRST_PIECE
        self.told: dict[str, bytes] = {}
        self._file = file
        self._runs: list[list[int]] = []

    def take(self, name: str, content: bytes) -> None:
        """The next entry. ValueError when its name or its content make no sense."""
        if name in ("size", "digest"):
            self.told[name] = content
        elif name == "piece":
            self.piece = int(content)
        elif name.endswith(".places"):
            self._runs = [list(map(int, line.split())) for line in content.splitlines()]
        elif name.endswith(".pieces"):
            start = 0
            for first, count in self._runs:
                self._write(first, content[start : start + count * self.piece])
                start += count * self.piece
        else:
            self._write(int(name), content)

    def _write(self, number: int, content: bytes) -> None:
        if number < 0:
            raise ValueError(f"piece {number}")
        view, offset = memoryview(content), number * self.piece
        while view:
            written = os.pwrite(self._file, view, offset)
            view, offset = view[written:], offset + written
