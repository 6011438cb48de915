"""Where to cut a table so that several readers have about as much to do: keys from the upper levels of its b-tree.

The keys are a hint only. Ranges between any keys hold every row exactly once, so a key that is not in the table, or was
read from a damaged page, makes readers wait for each other and changes no digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from handrail.databases.sqlite.digest import Part
from handrail.databases.sqlite.pages import Snapshot

_HEADER = 100
#: An interior page of a table that has rowids.
_INTERIOR = 0x05
#: A level of the tree with fewer keys is too coarse: the one below is read.
_ENOUGH = 64
Cell = tuple[int, int]


def cut(snapshot: Snapshot, part: Part, root: int, count: int) -> Sequence[Part]:
    """At most `count` parts of about the same size that make up `part`, a whole table; itself when it is small."""
    try:
        keys = _keys(snapshot, root)
    except (ValueError, IndexError):
        keys = []
    if len(keys) < _ENOUGH:
        return [part]
    chosen = sorted({keys[len(keys) * number // count] for number in range(1, count)})
    ends: list[int | None] = [None, *chosen, None]
    return [replace(part, above=above, upto=upto) for above, upto in pairwise(ends)]


def _keys(snapshot: Snapshot, root: int) -> list[int]:
    """The keys of the highest level that has enough of them, or of the lowest above the leaves."""
    level = list(_cells(snapshot, root))
    while 0 < len(level) < _ENOUGH:
        below = [cell for child, _ in level for cell in _cells(snapshot, child)]
        if not below:
            break
        level = below
    return [key for _, key in level]


def _cells(snapshot: Snapshot, number: int) -> Iterator[Cell]:
    """The pages below an interior page, but the last one, each with the highest rowid in it; nothing below a leaf."""
    page = snapshot.page(number)
    start = _HEADER if number == 1 else 0
    if page[start] != _INTERIOR:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for pointer in range(start + 12, start + 12 + 2 * cells, 2):
        at = int.from_bytes(page[pointer : pointer + 2], "big")
        yield int.from_bytes(page[at : at + 4], "big"), _varint(page[at + 4 : at + 13])


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
