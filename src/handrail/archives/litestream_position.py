"""How far Litestream has read a database's WAL: exact, by the header of the last file that it wrote beside it.

The header says which part of which WAL the file holds (format LTX1: superfly/ltx). If the frame after that part is of
the same WAL, something was written that Litestream has not read yet. Times could not tell: it reads once a second.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">4sIIIQQQQQQII")
_MAGIC = b"LTX1"
_WAL_HEADER = 32
_WAL_SALTS = slice(16, 24)
_FRAME_SALTS = slice(8, 16)
_FRAME_HEADER = 24


@dataclass(frozen=True, slots=True)
class Position:
    """The last transaction that was read; `is_current` tells whether anything was written since, None when nobody can
    tell (the WAL that would show it is gone)."""

    transaction: int
    is_current: bool | None


def position(database: Path) -> Position | None:
    """Where Litestream stands beside this database; None when it has not been there, or nothing can be read."""
    folder = database.parent / f".{database.name}-litestream" / "ltx" / "0"
    try:
        newest = max(folder.glob("*.ltx"), key=lambda path: path.name, default=None)
        if newest is None:
            return None
        with newest.open("rb") as file:
            head = file.read(_HEADER.size)
        magic, _, _, _, _, last, milliseconds, _, offset, size, salt1, salt2 = _HEADER.unpack(head)
    except (OSError, struct.error):
        return None
    if magic != _MAGIC:
        return None
    return Position(last, _is_current(database, offset + size, struct.pack(">II", salt1, salt2), milliseconds / 1000))


def _is_current(database: Path, end: int, salts: bytes, read_at: float) -> bool | None:
    try:
        with Path(f"{database}-wal").open("rb") as wal:
            header = wal.read(_WAL_HEADER)
            if len(header) == _WAL_HEADER:
                wal.seek(end if header[_WAL_SALTS] == salts else _WAL_HEADER)
                frame = wal.read(_FRAME_HEADER)
                return not (len(frame) == _FRAME_HEADER and frame[_FRAME_SALTS] == header[_WAL_SALTS])
    except FileNotFoundError:
        pass
    except OSError:
        return None
    # Whoever closed the database last emptied the WAL: nothing was written if the file is as old as what was read.
    return True if database.stat().st_mtime <= read_at else None
