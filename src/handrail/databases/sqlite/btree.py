"""The b-trees of a SQLite file, read raw from a snapshot's pages: which pages a table, an index, the freelist has.

Page formats: SQLite's file format, sections 1.5 (freelist) and 1.6 (b-tree pages). What a damaged
page says raises ValueError or IndexError, or is wrong: nobody may rely on it for more than speed.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator

from handrail.databases.sqlite.pages import Snapshot

_FILE_HEADER = 100
_FIRST_TRUNK = 32
_INTERIOR_INDEX, _INTERIOR_TABLE = 0x02, 0x05
_LEAF_TABLE = 0x0D
#: A page begins with its kind; how many cells it has is in the two bytes before this one.
_CELLS_END = 5
Cell = tuple[int, int | None]


def roots(raw: sqlite3.Connection) -> dict[str, int]:
    """Root pages of tables and indexes by name; names are unique among both."""
    return {
        str(name): int(root)
        for name, root in raw.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
    }


def tree_pages(snapshot: Snapshot, root: int) -> Iterator[int]:
    """All pages of a b-tree but its overflow pages. All leaves are equally deep, so they need not be read."""
    seen = bytearray(snapshot.page_count + 1)
    level = array("Q", [root])
    yield root
    while level and children(snapshot, level[0]):
        below = array("Q")
        for parent in level:
            for child in children(snapshot, parent):
                if seen[child]:
                    raise ValueError("a page is in the tree twice")
                seen[child] = 1
                below.append(child)
                yield child
        level = below


def children(snapshot: Snapshot, number: int) -> list[int]:
    """The pages below an interior page; none below a leaf."""
    page, start = _content(snapshot, number)
    if page[start] not in {_INTERIOR_INDEX, _INTERIOR_TABLE}:
        return []
    found = [int.from_bytes(page[at : at + 4], "big") for at in _cell_places(page, start)]
    return [*found, int.from_bytes(page[start + 8 : start + 12], "big")]


def cells(snapshot: Snapshot, number: int, last: int | None) -> list[Cell]:
    """The pages below an interior page of a table, each with the highest rowid that may be in it: that of the last one
    is what the page above says of this one. Nothing below a leaf, nor in a table without rowids."""
    page, start = _content(snapshot, number)
    if page[start] != _INTERIOR_TABLE:
        return []
    found: list[Cell] = [
        (int.from_bytes(page[at : at + 4], "big"), _varint(page[at + 4 : at + 13])) for at in _cell_places(page, start)
    ]
    return [*found, (int.from_bytes(page[start + 8 : start + 12], "big"), last)]


def has_rows(snapshot: Snapshot, root: int) -> bool:
    """Whether a tree is that of a table with rowids."""
    page, start = _content(snapshot, root)
    return page[start] in {_INTERIOR_TABLE, _LEAF_TABLE}


def rows_of_leaves(snapshot: Snapshot, numbers: Iterable[int]) -> list[int]:
    """How many rows leaves of a table have. ValueError when one of them is another page."""
    heads = list(snapshot.heads(numbers, _CELLS_END))  # none is that of page 1, which begins otherwise
    if any(head[0] != _LEAF_TABLE for head in heads):
        raise ValueError("not all pages are leaves of a table")
    return [head[3] << 8 | head[4] for head in heads]


def free_pages(snapshot: Snapshot) -> set[int]:
    """The pages of the freelist, trunks and leaves."""
    pages: set[int] = set()
    trunk = int.from_bytes(snapshot.page(1)[_FIRST_TRUNK : _FIRST_TRUNK + 4], "big")
    while trunk:
        if trunk in pages:
            raise ValueError("the freelist runs in a circle")
        page = snapshot.page(trunk)
        count = int.from_bytes(page[4:8], "big")
        pages |= {trunk, *(int.from_bytes(page[at : at + 4], "big") for at in range(8, 8 + 4 * count, 4))}
        trunk = int.from_bytes(page[:4], "big")
    return pages


def _content(snapshot: Snapshot, number: int) -> tuple[bytes, int]:
    """A page, and where its b-tree header begins."""
    return snapshot.page(number), _FILE_HEADER if number == 1 else 0


def _cell_places(page: bytes, start: int) -> list[int]:
    """Where the cells of an interior page begin."""
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    return [int.from_bytes(page[at : at + 2], "big") for at in range(start + 12, start + 12 + 2 * count, 2)]


def _varint(content: bytes) -> int:
    """SQLite's integers: seven bits a byte, eight in the ninth; 64 bits with a sign."""
    value = 0
    for place, byte in enumerate(content):
        if place == 8:
            value = value << 8 | byte
            break
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value - (1 << 64) if value >= 1 << 63 else value
