"""What is kept beside a copy of a SQLite file so that the next one need only hold, and read, what changed.

The digests of the file's pieces tell which of them changed. For each table the rows of its units (a leaf of the
b-tree, or a subtree; see `units`) are counted and digested: the digests of a table whose pages mostly did not change
are put together from those of its units.

The document: a line of JSON, then the digests of all pieces (16 bytes each), then of all units their pages and their
rows (4 and 8 bytes each, little-endian), and their sums (16 bytes each). One without the line was made before
there were units: it holds the digests of pieces of 16 KiB.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from handrail.errors import BackupError

#: A piece is a page, unless pages are smaller; of each 16 bytes are kept.
_LEAST = 1 << 10
#: Of so many pieces (3 GB of 4 KiB) the digests take 12 MB; pieces of larger files are larger.
_MOST = 3 << 18
#: Of inventories that do not say it.
FIRST_PIECE = 1 << 14
#: Of a digest of a piece, and of a sum of rows.
WIDTH = 16
_MARK = b'{"handrail inventory": 1, '


def piece_of(page_size: int, page_count: int) -> int:
    """How large the pieces of such a file are."""
    piece = max(page_size, _LEAST)
    while piece * _MOST < page_size * page_count:
        piece *= 2
    return piece


class Inventory:
    """The digests (BLAKE3, 128 bits) of a file's pieces, in their order."""

    def __init__(self, digests: bytes = b"", piece: int = FIRST_PIECE) -> None:
        self.digests = bytearray(digests)
        self.piece = piece
        self._rest = b""

    def __len__(self) -> int:
        return len(self.digests) // WIDTH

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the file's bytes on, digesting them."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk
        self.end()

    def add(self, chunk: bytes) -> memoryview:
        """Digest what is added to the file; those pieces of it that are whole by now."""
        view = memoryview(self._rest + chunk if self._rest else chunk)
        size = self.piece
        whole = len(view) - len(view) % size
        self._rest = bytes(view[whole:])
        self.digests += b"".join([blake3(view[at : at + size]).digest(WIDTH) for at in range(0, whole, size)])
        return view[:whole]

    def end(self) -> memoryview:
        """Digest the last piece, which is shorter; empty when there is none."""
        rest, self._rest = self._rest, b""
        if rest:
            self.digests += blake3(rest).digest(WIDTH)
        return memoryview(rest)

    def differing(self, other: Inventory, first: int, after: int) -> Iterator[int]:
        """Which of these pieces are others there, or not there."""
        start, end = first * WIDTH, after * WIDTH
        if self.digests[start:end] != other.digests[start:end]:
            for number in range(first, after):
                at = slice(number * WIDTH, (number + 1) * WIDTH)
                if self.digests[at] != other.digests[at]:
                    yield number

    def hexdigest(self) -> str:
        """One digest for the whole file."""
        return blake3(self.digests).hexdigest()

    @property
    def content(self) -> str:
        """The same, as `Fingerprint.content`: it depends on the size of the pieces, too."""
        return f"{self.piece}:{self.hexdigest()}"


@dataclass(slots=True)
class UnitSums:
    """Of some units, in their order: the page of each, its rows, and the sum of their numbers in WIDTH bytes."""

    pages: array[int] = field(default_factory=lambda: array("I"))
    rows: array[int] = field(default_factory=lambda: array("Q"))
    sums: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.pages)

    def add(self, other: UnitSums) -> None:
        self.pages.extend(other.pages)
        self.rows.extend(other.rows)
        self.sums += other.sums

    def part(self, first: int, after: int) -> UnitSums:
        return UnitSums(self.pages[first:after], self.rows[first:after], self.sums[first * WIDTH : after * WIDTH])

    def total(self) -> tuple[int, int]:
        """The rows of all, and the sum of their sums."""
        numbers = range(0, len(self.sums), WIDTH)
        return sum(self.rows), sum(int.from_bytes(self.sums[at : at + WIDTH], "little") for at in numbers)


@dataclass(frozen=True, slots=True)
class TableUnits:
    """The units `first` to before `after` are those of a table, which has so many rows; the sum of their numbers is
    `total`. `meaning` is what it depends on besides the pages: the layout of the records, and the columns that were
    digested."""

    name: str
    meaning: tuple[str, ...]
    first: int = 0
    after: int = 0
    rows: int = 0
    total: int = 0


@dataclass(slots=True)
class Known:
    """An inventory, and the units by table; `form` is how pages and text are written."""

    inventory: Inventory = field(default_factory=Inventory)
    form: str = ""
    tables: dict[str, TableUnits] = field(default_factory=dict)
    units: UnitSums = field(default_factory=UnitSums)

    def written(self) -> bytes:
        """The document."""
        head = {
            "piece": self.inventory.piece,
            "pieces": len(self.inventory),
            "form": self.form,
            "tables": [
                [one.name, one.meaning, one.first, one.after, one.rows, f"{one.total:x}"]
                for one in self.tables.values()
            ],
        }
        numbers = (_bytes_of(self.units.pages), _bytes_of(self.units.rows))
        line = _MARK + json.dumps(head).encode()[1:] + b"\n"
        return b"".join((line, self.inventory.digests, *numbers, self.units.sums))


def read_known(document: bytes) -> Known:
    """What a document tells. BackupError when it is not whole."""
    if not document.startswith(_MARK):
        return Known(Inventory(document, FIRST_PIECE))
    try:
        end = document.index(b"\n")
        head = json.loads(document[:end])
        tables = [
            TableUnits(str(name), tuple(map(str, meaning)), int(first), int(after), int(rows), int(total, 16))
            for name, meaning, first, after, rows, total in head["tables"]
        ]
        count = max((one.after for one in tables), default=0)
        sizes = (end + 1, int(head["pieces"]) * WIDTH, 4 * count, 8 * count, WIDTH * count)
        digests, pages, counts, sums = _cut(document, sizes)
        units = UnitSums(_numbers_of("I", pages), _numbers_of("Q", counts), bytearray(sums))
        inventory = Inventory(digests, int(head["piece"]))
        return Known(inventory, str(head["form"]), {one.name: one for one in tables}, units)
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(
            "What was written about the backup before is not whole.",
            why=str(error),
            hint="Make a whole backup: `handrail backup create --method copy`.",
        ) from error


def _cut(document: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """The parts of these sizes, without the first one. ValueError unless they are the whole document."""
    start, *rest = sizes
    if start + sum(rest) != len(document):
        raise ValueError(f"{len(document)} bytes instead of {start + sum(rest)}")
    for size in rest:
        yield document[start : start + size]
        start += size


def _bytes_of(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _numbers_of(kind: str, content: bytes) -> array[int]:
    """The numbers that `_bytes_of` wrote."""
    numbers: array[int] = array(kind)
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
