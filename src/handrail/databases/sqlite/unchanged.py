"""Telling by their pages which tables of a file hold what they held when they were last digested.

Reading pages costs a sixth of reading rows, and a migration leaves most tables alone (`ALTER TABLE … ADD COLUMN` writes
to the schema's pages only). A table's digests are taken over when all of this holds, else its rows are read again:

* Its b-tree begins at the same page and every page of it is, byte for byte (BLAKE3, 128 bits a page), what it was.
* Every changed page is accounted for: the schema's tree, another tree, or the freelist. Overflow pages are in no list
  that could be read without reading all rows; but each belongs to one tree, so when no changed page is left over, none
  was an overflow page of this table. (With auto_vacuum there are pointer-map pages, which are left over: then all
  tables are read again. So it is for a file that is damaged.)
* What the catalog says of its earlier columns is the same, since types and defaults decide how a record is read, and
  none is generated. Columns added behind them change no record.

Page formats: SQLite's file format, sections 1.5 (freelist) and 1.6 (b-tree pages).
"""

from __future__ import annotations

import io
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from blake3 import blake3

from handrail.databases.sqlite.catalog import quoted
from handrail.databases.sqlite.increment import Inventory
from handrail.databases.sqlite.pages import Snapshot
from handrail.facts import TableFingerprint

_DIGEST = 16
#: Beyond this many pages (16 GB of 4 KiB) digests would take more than 64 MB of memory; tables are then read again.
_MOST_PAGES = 1 << 22
_HEADER = 100
_FIRST_TRUNK = 32
_INTERIOR = {0x02, 0x05}
Columns = tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class _Table:
    root: int
    columns: Columns
    fingerprint: TableFingerprint


@dataclass(slots=True)
class Memory:
    """What was digested last, and the pages it was read from; and the content as it was the first time."""

    page_size: int = 0
    pages: bytes = b""
    content: str = ""
    tables: dict[str, _Table] = field(default_factory=dict)

    def still_true(self, snapshot: Snapshot) -> dict[str, TableFingerprint]:
        """The digests of those tables that hold in this snapshot what they held; remembers the snapshot's pages."""
        before, self.pages = self.pages, self._read_pages(snapshot)
        if not before or not self.pages or self.page_size != snapshot.page_size:
            self.page_size, self.tables = snapshot.page_size, {}
            return {}
        clean = untouched_roots(snapshot, changed_pages(before, self.pages))
        self.tables = {
            name: table
            for name, table in self.tables.items()
            if clean.get(name) == table.root
            and table.columns == columns_of(snapshot.raw, name)[: len(table.columns)]
            and not _has_generated(table.columns)
        }
        return {name: table.fingerprint for name, table in self.tables.items()}

    def _read_pages(self, snapshot: Snapshot) -> bytes:
        """Digest each page, or none when there are too many; and once all of them together."""
        is_too_large = snapshot.page_count > _MOST_PAGES
        if self.content and is_too_large:
            return b""
        whole, chunks = Inventory(), snapshot.chunks()
        pages = chunks if self.content else whole.through(chunks)
        size = snapshot.page_size
        digests = io.BytesIO()  # a join would hold them twice
        for chunk in pages:
            digests.write(b"" if is_too_large else _page_digests(chunk, size))
        self.content = self.content or whole.hexdigest()
        return digests.getvalue()

    def remember(self, raw: sqlite3.Connection, found: Iterable[TableFingerprint]) -> None:
        """Keep what was found; digests of earlier groups stay beside those of new ones."""
        roots = _roots(raw)
        for one in found:
            name = one.table.name
            known = self.tables.get(name)
            merged = one if known is None else known.fingerprint.merged(one)
            self.tables[name] = _Table(roots.get(name, 0), columns_of(raw, name), merged)


def columns_of(raw: sqlite3.Connection, table: str) -> Columns:
    """All that the catalog says of a table's columns: name, type, NOT NULL, default, key, hidden."""
    return tuple(tuple(row[1:]) for row in raw.execute(f"PRAGMA table_xinfo({quoted(table)})"))


def _has_generated(columns: Columns) -> bool:
    return any(column[-1] for column in columns)


def _page_digests(chunk: bytes, size: int) -> bytes:
    view = memoryview(chunk)
    return b"".join([blake3(view[at : at + size]).digest(_DIGEST) for at in range(0, len(chunk), size)])


def changed_pages(before: bytes, after: bytes) -> bytearray:
    """For each page by its number (page 0, which there is none of, is 0) 1 when its content differs or it is new, else
    0. A byte a page: sets of numbers took 60 times as much. Pages that are no more are of no interest."""
    changed = bytearray(len(after) // _DIGEST + 1)
    block = _DIGEST << 8
    for start in range(0, len(after), block):
        one, other = before[start : start + block], after[start : start + block]
        if one != other:
            for at in range(0, len(other), _DIGEST):
                if one[at : at + _DIGEST] != other[at : at + _DIGEST]:
                    changed[(start + at) // _DIGEST + 1] = 1
    return changed


def untouched_roots(snapshot: Snapshot, changed: bytearray) -> Mapping[str, int]:
    """Tables and indexes none of whose pages changed, with their root pages; none when a changed page is left over."""
    clean: dict[str, int] = {}
    left_over = bytearray(changed)
    left_over[1] = 0
    try:
        for page in (*_tree_pages(snapshot, 1), *_free_pages(snapshot)):
            left_over[page] = 0
        for name, root in _roots(snapshot.raw).items():
            is_touched = False
            for page in _tree_pages(snapshot, root):
                if changed[page]:
                    left_over[page], is_touched = 0, True
            if not is_touched:
                clean[name] = root
    except (ValueError, IndexError):
        return {}
    return {} if any(left_over) else clean


def _roots(raw: sqlite3.Connection) -> dict[str, int]:
    """Root pages of tables and indexes by name; names are unique among both."""
    return {
        str(name): int(root)
        for name, root in raw.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
    }


def _tree_pages(snapshot: Snapshot, root: int) -> Iterator[int]:
    """All pages of a b-tree but its overflow pages. All leaves are equally deep, so they need not be read."""
    seen = bytearray(snapshot.page_count + 1)
    level = array("Q", [root])
    yield root
    while level and _children(snapshot, level[0]):
        below = array("Q")
        for parent in level:
            for child in _children(snapshot, parent):
                if seen[child]:
                    raise ValueError("a page is in the tree twice")
                seen[child] = 1
                below.append(child)
                yield child
        level = below


def _children(snapshot: Snapshot, number: int) -> list[int]:
    """The pages below an interior page; none below a leaf."""
    page = snapshot.page(number)
    start = _HEADER if number == 1 else 0
    if page[start] not in _INTERIOR:
        return []
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    pointers = range(start + 12, start + 12 + 2 * cells, 2)
    places = [int.from_bytes(page[at : at + 2], "big") for at in pointers]
    children = [int.from_bytes(page[at : at + 4], "big") for at in places]
    return [*children, int.from_bytes(page[start + 8 : start + 12], "big")]


def _free_pages(snapshot: Snapshot) -> set[int]:
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
