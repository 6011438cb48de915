"""Counting and digesting rows of a SQLite table: all of them, or those between some rowids, and those of its units.

What the numbers are is said in `digest`. The pipeline runs in C from the cursor to the sum, so its cost is close to
fetching the rows.
"""

from __future__ import annotations

import marshal
import operator
import sqlite3
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, islice, repeat
from operator import itemgetter

from xxhash import xxh3_128_intdigest

from handrail.databases.sqlite.catalog import quoted, table_columns
from handrail.databases.sqlite.inventory import WIDTH
from handrail.facts import ColumnGroup

Row = tuple[object, ...]
_FORMAT = 2
_MODULUS = 1 << 8 * WIDTH
#: More rows than a table can hold.
_MANY = 1 << 62
#: So many rows of a part are looked at before it is taken to hold no BLOB.
_PROBE = 1000
_write: Callable[[Row, int], bytes] = marshal.dumps  # type: ignore[assignment]  # typeshed's _Marshallable is closed


@dataclass(frozen=True, slots=True)
class Span:
    """Rows with `above` < rowid <= `upto`, where these are given, and how many each of its units has, in their order;
    () when nobody asks for those."""

    above: int | None = None
    upto: int | None = None
    units: tuple[int, ...] = ()


ALL = (Span(),)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a table, and the column groups to digest. Units can be asked for where there is one group."""

    table: str
    groups: tuple[ColumnGroup, ...]
    spans: tuple[Span, ...] = ALL


@dataclass(frozen=True, slots=True)
class PartDigest:
    """How many rows a part has and, for each group, the sum of their numbers. Those of a table's parts add up.

    `units` are the sums of all units that were asked for, each in WIDTH bytes; empty when the rows are not as many as
    was said."""

    rows: int
    sums: tuple[int, ...]
    seconds: float = 0.0
    units: bytes = field(default=b"", repr=False)

    def __add__(self, other: PartDigest) -> PartDigest:
        sums = tuple((one + more) % _MODULUS for one, more in zip(self.sums, other.sums, strict=True))
        return PartDigest(self.rows + other.rows, sums, self.seconds + other.seconds, self.units + other.units)


def digest_part(raw: sqlite3.Connection, part: Part) -> PartDigest:
    """Read the rows of a part."""
    began = time.perf_counter()
    needed = tuple(dict.fromkeys(column for group in part.groups for column in group))
    rows, sums, units = 0, [0] * len(part.groups), bytearray()
    source = _Rows(raw, part, needed, rowid_name(table_columns(raw, part.table)))
    with as_text(raw, bytes):
        for span in part.spans:
            found, span_sums, span_units = source.read(span)
            rows += found
            sums = list(map(operator.add, sums, span_sums))
            units += b"".join([(total % _MODULUS).to_bytes(WIDTH, "little") for total in span_units])
    is_as_told = len(units) == WIDTH * sum(len(span.units) for span in part.spans)
    totals = tuple(total % _MODULUS for total in sums)
    return PartDigest(rows, totals, time.perf_counter() - began, bytes(units) if is_as_told else b"")


def rowid_name(columns: Sequence[str]) -> str:
    """A name by which the rowid can be asked for; "" when columns hide it."""
    taken = {column.casefold() for column in columns}
    return next((name for name in ("_rowid_", "rowid", "oid") if name not in taken), "")


def own_cursor(raw: sqlite3.Connection) -> sqlite3.Cursor:
    """A cursor that yields plain tuples, whatever row factory the connection has."""
    cursor = raw.cursor()
    cursor.row_factory = None
    return cursor


@contextmanager
def plain_rows(raw: sqlite3.Connection) -> Iterator[None]:
    """Read rows as tuples and TEXT as str for the block, then as before."""
    before, raw.row_factory = raw.row_factory, None
    try:
        with as_text(raw, str):
            yield
    finally:
        raw.row_factory = before


@contextmanager
def as_text(raw: sqlite3.Connection, factory: type[str] | type[bytes]) -> Iterator[None]:
    """Read TEXT through `factory` for the block, then as before."""
    before = raw.text_factory
    raw.text_factory = factory
    try:
        yield
    finally:
        raw.text_factory = before


@dataclass(slots=True)
class _Rows:
    """The rows of a part, with the columns that its groups need. `has_blobs` once one was seen."""

    raw: sqlite3.Connection
    part: Part
    needed: tuple[str, ...]
    rowid: str
    has_blobs: bool = False

    def read(self, span: Span) -> tuple[int, list[int], list[int]]:
        """How many rows a span has, the sum of each group, and that of each unit; fewer of these when there are more or
        fewer rows than they should have."""
        if not self.part.groups:
            return self._count(span), [], []
        if not self.needed:
            return self._sum_groups(span)
        expected = sum(span.units) if span.units else self._count(span)
        if not self.has_blobs and not self._sees_blob(span, expected):
            rows, sums, units = self._sum_groups(span, without_blobs=True)
            if rows == expected:
                return rows, sums, units
        self.has_blobs = True
        rows, sums, units = self._sum_groups(span)
        more, more_units = self._sum_blobs(span)
        return rows, list(map(operator.add, sums, more)), list(map(operator.add, units, more_units))

    def _ask(self, selected: str, span: Span, condition: str = "") -> sqlite3.Cursor:
        """Rows of a span. The same words for all of them: SQLite then remembers what they mean."""
        limits = ((f"{self.rowid} > :above", span.above), (f"{self.rowid} <= :upto", span.upto))
        chosen = [words for words, value in limits if value is not None] + ([condition] if condition else [])
        where = f" WHERE {' AND '.join(chosen)}" if chosen else ""
        order = f" NOT INDEXED{where} ORDER BY {self.rowid}" if span.units else where
        values: Mapping[str, int | None] = {"above": span.above, "upto": span.upto}
        sql = f"SELECT {selected} FROM {quoted(self.part.table)}{order}"  # noqa: S608 - quoted
        return own_cursor(self.raw).execute(sql, values)

    def _count(self, span: Span) -> int:
        return int(self._ask("count(*)", Span(span.above, span.upto)).fetchone()[0])

    @property
    def _is_blob(self) -> str:
        """That one of the columns holds a BLOB."""
        return "(" + " OR ".join(f"typeof({quoted(column)}) = 'blob'" for column in self.needed) + ")"

    def _sees_blob(self, span: Span, rows: int) -> bool:
        """Whether one of the first of many rows holds one: then nobody need try to do without."""
        return rows > _PROBE and any(
            flag for (flag,) in islice(self._ask(self._is_blob, Span(span.above, span.upto)), _PROBE)
        )

    def _sum_groups(self, span: Span, *, without_blobs: bool = False) -> tuple[int, list[int], list[int]]:
        """One pass. `+column` keeps converters of declared types (detect_types) out of the way."""
        needed, groups = self.needed, self.part.groups
        selected = ", ".join(f"+{quoted(column)} AS c{place}" for place, column in enumerate(needed)) or "NULL"
        rows = self._ask(selected, span, f"NOT {self._is_blob}" if without_blobs else "")
        formats = repeat(_FORMAT, _MANY)  # one is taken for each row, and what is left of them is known
        units: list[int] = []
        if len(groups) == 1 and groups[0] == needed:
            numbers = map(xxh3_128_intdigest, map(_write, rows, formats))
            units = [sum(islice(numbers, count)) for count in span.units]
            sums = [sum(numbers, sum(units))]
        else:
            sums = _sum_picked(
                rows, [_picker(tuple(needed.index(column) for column in group)) for group in groups], formats
            )
        found = _MANY - operator.length_hint(formats)
        return found, sums, units if found == sum(span.units) else []

    def _sum_blobs(self, span: Span) -> tuple[list[int], list[int]]:
        """The second numbers of the rows that hold a BLOB, by group and by unit."""
        needed, groups = self.needed, self.part.groups
        flags = [f"typeof({quoted(column)}) = 'blob'" for column in needed]
        selected = ", ".join([*(f"+{quoted(column)}" for column in needed), *flags])
        values = [_picker(tuple(needed.index(column) for column in group)) for group in groups]
        marks = [_picker(tuple(len(needed) + needed.index(column) for column in group)) for group in groups]
        sums, units = [0] * len(groups), [0] * len(span.units)
        for unit, row in zip(self._units_with_blobs(span), self._ask(selected, span, self._is_blob), strict=False):
            for place, (pick, mark) in enumerate(zip(values, marks, strict=True)):
                if any(mark(row)):
                    found = xxh3_128_intdigest(_write((pick(row), mark(row)), _FORMAT))
                    sums[place] += found
                    if unit < len(units):
                        units[unit] += found
        return sums, units

    def _units_with_blobs(self, span: Span) -> Iterator[int]:
        """Of each row with a BLOB the number of its unit."""
        if not span.units:
            return repeat(0)
        ends = list(accumulate(span.units))
        flags = self._ask(self._is_blob, span)
        return (bisect_right(ends, place) for place, (flag,) in enumerate(flags) if flag)


def _sum_picked(rows: Iterator[Row], pickers: Sequence[Callable[[Row], Row]], formats: Iterator[int]) -> list[int]:
    sums = [0] * len(pickers)
    write, number = _write, xxh3_128_intdigest
    places = tuple(enumerate(pickers))
    for row, form in zip(rows, formats, strict=False):
        for place, pick in places:
            sums[place] += number(write(pick(row), form))
    return sums


def _picker(places: tuple[int, ...]) -> Callable[[Row], Row]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _row: ()
    only = places[0]
    return lambda row: (row[only],)
