"""Telling by their pages which tables of a file hold what they held when they were last digested.

Reading pages costs a sixth of reading rows, and a migration leaves most tables alone (`ALTER TABLE … ADD COLUMN` writes
to the schema's pages only). A table's digests are taken over when all of this holds, else its rows are read again:

* Its b-tree begins at the same page and every page of it is, byte for byte (BLAKE3, 128 bits a piece), what it was.
* Every changed page is accounted for: the schema's tree, another tree, or the freelist. Overflow pages are in no list
  that could be read without reading all rows; but each belongs to one tree, so when no changed page is left over, none
  was an overflow page of this table. (With auto_vacuum there are pointer-map pages, which are left over: then all
  tables are read again. So it is for a file that is damaged.)
* The records of its earlier columns are read as they were (`layout`), and none is generated. Columns added behind them
  change no record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from handrail.databases.sqlite import btree
from handrail.databases.sqlite.inventory import WIDTH, Inventory, piece_of
from handrail.databases.sqlite.layout import Layout, Layouts, form_of
from handrail.databases.sqlite.pages import Snapshot
from handrail.facts import TableFingerprint


@dataclass(frozen=True, slots=True)
class _Table:
    root: int
    layout: Layout
    fingerprint: TableFingerprint


@dataclass(slots=True)
class Memory:
    """What was digested last, and the digests of the pages it was read from; and the content as it was the first
    time."""

    form: str = ""
    pages: Inventory | None = None
    content: str = ""
    tables: dict[str, _Table] = field(default_factory=dict)

    def still_true(self, snapshot: Snapshot) -> dict[str, TableFingerprint]:
        """The digests of those tables that hold in this snapshot what they held; remembers the snapshot's pages."""
        before, self.pages = self.pages, digests_of(snapshot)
        self.content = self.content or self.pages.content
        form, self.form = self.form, form_of(snapshot)
        if before is None or before.piece != self.pages.piece or self.form != form:
            self.tables = {}
            return {}
        changed = changed_pages(before, self.pages, snapshot.page_size, snapshot.page_count)
        clean, layouts = clean_roots(snapshot, changed) or {}, Layouts(snapshot.raw)
        self.tables = {
            name: table
            for name, table in self.tables.items()
            if clean.get(name) == table.root
            and not table.layout.has_generated
            and layouts.of(name).continues(table.layout)
        }
        return {name: table.fingerprint for name, table in self.tables.items()}

    def remember(self, raw: sqlite3.Connection, found: Iterable[TableFingerprint]) -> None:
        """Keep what was found; digests of earlier groups stay beside those of new ones."""
        roots, layouts = btree.roots(raw), Layouts(raw)
        for one in found:
            name = one.table.name
            known = self.tables.get(name)
            merged = one if known is None else known.fingerprint.merged(one)
            self.tables[name] = _Table(roots.get(name, 0), layouts.of(name), merged)


def digests_of(snapshot: Snapshot) -> Inventory:
    """The digests of all pieces of a snapshot."""
    found = Inventory(piece=piece_of(snapshot.page_size, snapshot.page_count))
    for _ in found.through(snapshot.chunks()):
        pass
    return found


def changed_pages(before: Inventory, after: Inventory, size: int, count: int) -> bytearray:
    """For each page by its number (page 0, which there is none of, is 0) 1 when its content differs or it is new, else
    0: so for all pages that share a piece with such a one. `size` of a page and `count` of pages are of now: pages that
    are no more are of no interest. A byte a page: sets of numbers took 60 times as much."""
    changed, piece = bytearray(count + 1), after.piece
    block = WIDTH << 8
    for start in range(0, len(after.digests), block):
        one, other = before.digests[start : start + block], after.digests[start : start + block]
        if one != other:
            for at in range(0, len(other), WIDTH):
                if one[at : at + WIDTH] != other[at : at + WIDTH]:
                    begins = (start + at) // WIDTH * piece
                    first, last = begins // size + 1, min((begins + piece - 1) // size + 1, count)
                    changed[first : last + 1] = b"\1" * (last + 1 - first)
    return changed


def clean_roots(snapshot: Snapshot, changed: bytearray) -> Mapping[str, int] | None:
    """Tables and indexes none of whose pages changed, with their root pages; None when a changed page is left over, or
    pages make no sense."""
    clean: dict[str, int] = {}
    left_over = bytearray(changed)
    try:
        for page in (*btree.tree_pages(snapshot, 1), *btree.free_pages(snapshot)):
            left_over[page] = 0
        for name, root in btree.roots(snapshot.raw).items():
            is_touched = False
            for page in btree.tree_pages(snapshot, root):
                if changed[page]:
                    left_over[page], is_touched = 0, True
            if not is_touched:
                clean[name] = root
    except (ValueError, IndexError):
        return None
    return None if any(left_over) else clean
