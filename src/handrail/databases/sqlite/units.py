"""Digesting tables by the units of their b-trees, so that the next time only those are read whose pages changed.

A unit is a leaf; in files of more than `_FINE` pages a lowest interior page with its leaves (the sums of all leaves
would take too much memory there); of a table without rowids, or whose columns hide them, the whole tree. What rows a
unit has, its pages say, so they are what they were when all of this holds, else they are read again:

* It was a unit of this table, and every page of it is, byte for byte (BLAKE3, 128 bits a piece), what it was. An
  interior page says which leaves are below it.
* Every changed page is accounted for, as `unchanged` says: so none was an overflow page of an unchanged leaf.
* The table's records are read as they were (`layout`), and no column is generated.

Units of a table hold each row once, whatever the pages say: they are ranges of rowids between keys. So wrong keys, read
from a damaged page, change no digest of a table that is read whole.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from handrail.databases.sqlite import btree
from handrail.databases.sqlite.catalog import table_columns
from handrail.databases.sqlite.inventory import WIDTH, Inventory, Known, TableUnits, UnitSums
from handrail.databases.sqlite.layout import Layouts, form_of
from handrail.databases.sqlite.pages import Snapshot
from handrail.databases.sqlite.rows import Part, PartDigest, Span, digest_part, rowid_name
from handrail.databases.sqlite.unchanged import changed_pages, clean_roots

#: Up to so many pages (1 GB of 4 KiB) the sums of leaves take 7 MB; the work on them takes five times that.
_FINE = 1 << 18
#: For each reader so many parts of a table, that none waits long for the last one; of so many units at least and most.
_PARTS, _FEW, _MANY = 4, 64, 1 << 14
#: The pages below one.
Below = Callable[[Snapshot, int], Collection[int]]


class ReadsParts(Protocol):
    """Who reads rows."""

    def digest(self, snapshot: Snapshot, tables: Iterable[Iterable[Part]]) -> Iterator[Sequence[PartDigest]]:
        """Of each table the digests of its parts, in their order."""

    def __len__(self) -> int: ...


def _nothing(_snapshot: Snapshot, _page: int) -> Collection[int]:
    return ()


def _tree(snapshot: Snapshot, root: int) -> Collection[int]:
    return tuple(btree.tree_pages(snapshot, root))


@dataclass(frozen=True, slots=True)
class Units:
    """The units of one table in their order: the page that each begins at, and of all but the last one the highest
    rowid that may be in it; the pages below each. `are_counted`: the pages say how many rows there are."""

    pages: array[int]
    uptos: array[int]
    below: Below = _nothing
    are_counted: bool = True

    def span(self, first: int, after: int, rows: Sequence[int]) -> Span:
        """The rows of some units that follow each other."""
        above = self.uptos[first - 1] if first else None
        return Span(above, self.uptos[after - 1] if after <= len(self.uptos) else None, tuple(rows))

    def rows(self, snapshot: Snapshot, first: int, after: int) -> list[int]:
        """How many rows some of them have. ValueError when their pages do not say it."""
        pages = self.pages[first:after]
        if self.below is _nothing:
            return btree.rows_of_leaves(snapshot, pages)
        return [sum(btree.rows_of_leaves(snapshot, self.below(snapshot, page) or (page,))) for page in pages]


def units_of(snapshot: Snapshot, root: int, *, has_rowids: bool) -> Units:
    """The units of a table; whether its columns leave a name to ask for its rowids, if it has any, is `has_rowids`.
    ValueError, IndexError when what its pages say makes no sense."""
    if not (has_rowids and btree.has_rows(snapshot, root)):
        return Units(array("I", [root]), array("q"), _tree, are_counted=False)
    level: list[btree.Cell] = [(root, None)]
    while (below := btree.cells(snapshot, *level[0])) and btree.cells(snapshot, *below[0]):
        level = [cell for page, upto in level for cell in btree.cells(snapshot, page, upto)]
    pages, uptos = array("I"), array("q")
    is_fine = snapshot.page_count <= _FINE
    for page, upto in level:
        units = (is_fine and btree.cells(snapshot, page, upto)) or [(page, upto)]
        pages.extend([page for page, _ in units])
        uptos.extend([-1 if upto is None else upto for _, upto in units])
    uptos.pop()
    if any(one >= other for one, other in pairwise(uptos)):
        raise ValueError("the keys of a tree are not in their order")
    return Units(pages, uptos, _nothing if is_fine else btree.children)


class _Where:
    """Where what is known of a page's unit stands."""

    def __init__(self, before: Known, changed: bytearray) -> None:
        self._before, self._changed = before, changed
        self._places = array("I", bytes(4 * len(changed)))
        for place, page in enumerate(before.units.pages, 1):
            if page < len(changed):
                self._places[page] = place

    def unchanged(self, snapshot: Snapshot, table: TableUnits, units: Units) -> array[int]:
        """Of each unit its place, -1 where it is not the same."""
        known = self._before.tables.get(table.name)
        if known is None or known.meaning != table.meaning:
            return array("q", [-1]) * len(units.pages)
        changed = self._changed
        places, first, after = self._places, known.first + 1, known.after + 1
        found = [
            place - 1 if first <= (place := places[page]) < after and not changed[page] else -1 for page in units.pages
        ]
        if units.below is not _nothing:
            for number, page in enumerate(units.pages):
                if any(changed[one] for one in units.below(snapshot, page)):
                    found[number] = -1
        return array("q", found)


@dataclass(slots=True)
class _Plan:
    """How a table is digested: which of its units are read (`places` -1), and where what is known of the others stands.
    `rows` are those of the units that are read, as their pages say."""

    part: Part
    table: TableUnits
    units: Units
    places: array[int]
    keeps: bool
    rows: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def read(self) -> list[int]:
        return [number for number, place in enumerate(self.places) if place < 0]

    def parts(self, snapshot: Snapshot, readers: int) -> Iterator[Part]:
        """What is read, cut so that all readers have about as much to do."""
        read = self.read
        size = min(max(_FEW, -(-len(read) // (_PARTS * max(1, readers)))), _MANY)
        for start in range(0, len(read), size):
            runs = _runs(read[start : start + size])
            yield replace(self.part, spans=tuple(self._span(snapshot, first, after) for first, after in runs))

    def _span(self, snapshot: Snapshot, first: int, after: int) -> Span:
        if not (self.keeps and self.units.are_counted):
            return self.units.span(first, after, ())
        try:
            rows = self.units.rows(snapshot, first, after)
        except (ValueError, IndexError):
            rows = [0] * (after - first)  # not the rows that there are, which the reader sees
        self.rows.extend(rows)
        return self.units.span(first, after, rows)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Numbers that follow each other: the first, and the one after the last."""
    first = numbers[0]
    for one, other in pairwise(numbers):
        if other != one + 1:
            yield first, one + 1
            first = other
    yield first, numbers[-1] + 1


@dataclass(slots=True)
class ByUnits:
    """Digests tables (`digest.Digesting`). With `keeps` what is known of their units then is in `found`. `before` is
    what was kept the last time, `now` the digests of this snapshot's pieces: without both all rows are read."""

    snapshot: Snapshot
    readers: ReadsParts
    keeps: bool = False
    before: Known = field(default_factory=Known)
    now: Inventory | None = None
    found: Known = field(default_factory=Known)

    def __call__(self, _raw: object, tables: Sequence[Part]) -> Iterator[PartDigest]:
        self.found.form = form_of(self.snapshot)
        roots, layouts, where = btree.roots(self.snapshot.raw), Layouts(self.snapshot.raw), self._where()
        plans: deque[_Plan] = deque()

        def asked() -> Iterator[Iterator[Part]]:
            for part in tables:
                plans.append(self._plan(part, roots[part.table], layouts, where))
                yield plans[-1].parts(self.snapshot, len(self.readers))

        for read in self.readers.digest(self.snapshot, asked()):
            yield self._put_together(plans.popleft(), read)

    def _where(self) -> _Where | None:
        """None when it is not known which pages are what they were, or that tells nothing of the rows."""
        if self.now is None or self.before.form != self.found.form:
            return None
        snapshot = self.snapshot
        changed = changed_pages(self.before.inventory, self.now, snapshot.page_size, snapshot.page_count)
        return None if clean_roots(snapshot, changed) is None else _Where(self.before, changed)

    def _plan(self, part: Part, root: int, layouts: Layouts, where: _Where | None) -> _Plan:
        raw, name = self.snapshot.raw, part.table
        layout = layouts.of(name) if self.keeps else None
        table = TableUnits(name, (repr(layout), *(part.groups[0] if part.groups else ())))
        keeps = layout is not None and len(part.groups) == 1 and not layout.has_generated
        try:
            units = units_of(self.snapshot, root, has_rowids=bool(rowid_name(table_columns(raw, name))))
            known = where.unchanged(self.snapshot, table, units) if where and keeps else None
        except (ValueError, IndexError):
            units, known, keeps = Units(array("I", [root]), array("q")), None, False
        return _Plan(part, table, units, known or array("q", [-1]) * len(units.pages), keeps)

    def _put_together(self, plan: _Plan, read: Sequence[PartDigest]) -> PartDigest:
        """The digest of a whole table. When the rows that were read are not as many as the pages say, all are read."""
        total = sum(read, start=PartDigest(0, (0,) * len(plan.part.groups)))
        if not plan.keeps:
            return total
        if not plan.units.are_counted and read:
            plan.rows.append(total.rows)
            total = replace(total, units=total.sums[0].to_bytes(WIDTH, "little"))
        if len(total.units) != WIDTH * len(plan.rows):
            return digest_part(self.snapshot.raw, plan.part)
        return self._kept(plan, total)

    def _kept(self, plan: _Plan, total: PartDigest) -> PartDigest:
        """With what was known of the other units: what was known of all without that of those that are no more. All of
        it is remembered."""
        units, before = self.found.units, self.before
        known = before.tables.get(plan.part.table, plan.table)
        read, number, first, same = total.units, 0, len(units), list[tuple[int, int]]()
        for start, after in _alike(plan.places):
            place, count = plan.places[start], after - start
            if place < 0:
                sums = bytearray(read[number * WIDTH : (number + count) * WIDTH])
                units.add(UnitSums(plan.units.pages[start:after], plan.rows[number : number + count], sums))
                number += count
            else:
                units.add(before.units.part(place, place + count))
                same.append((place, place + count))
        if same:
            total += PartDigest(known.rows, (known.total,))
            for start, after in _between(known.first, sorted(same), known.after):
                rows, gone = before.units.part(start, after).total()
                total += PartDigest(-rows, (-gone,))
        total = replace(total, units=b"")
        table = replace(plan.table, first=first, after=len(units), rows=total.rows, total=total.sums[0])
        self.found.tables[table.name] = table
        return total


def _alike(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of units that are read, and of those that follow each other as they did."""
    start = 0
    for number, (one, other) in enumerate(pairwise(places), 1):
        if other != (one + 1 if one >= 0 else one):
            yield start, number
            start = number
    yield start, len(places)


def _between(first: int, taken: Sequence[tuple[int, int]], after: int) -> Iterator[tuple[int, int]]:
    """What of a range is not taken."""
    for start, end in taken:
        yield first, start
        first = end
    yield first, after
