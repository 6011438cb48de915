"""Fingerprints of SQLite tables: counts and order-independent digests of typed rows, algorithm "sqlite-rows-v2".

For each row the values of a column group, in the group's order, become a Python tuple: NULL is None, INTEGER int, REAL
float (so 1 and 1.0 differ; SQLite stores NaN as NULL), TEXT its bytes in UTF-8 whatever the file's encoding, valid or
not, BLOB its bytes. The tuple is written by `marshal` in format version 2 (no references, no interning: equal values,
equal bytes, on every Python) and hashed to a number of 128 bits by XXH3. For a row with a BLOB in the group there is a
second number, made in the same way from (that tuple, a tuple that holds 1 for each BLOB and 0 for the others), so that
x'61' and 'a' differ; asking SQL for such rows costs less than fetching a type with every value. All these numbers are
added modulo 2**128; the digest is the sum in 32 hexadecimal digits. A sum counts equal rows, which an xor would cancel.
It guards against accidents, not against forgery. Generated columns are included when a group names them or the whole
table is digested; a rowid that is no column is not.

Skipped are views, virtual tables (the shadow tables that hold their rows are digested), SQLite's own `sqlite_…` tables
and Alembic's version table. Column groups that a table does not have are left out of the answer: the caller sees them
as missing. The pipeline runs in C from the cursor to the sum, so its cost is close to fetching the rows.
"""

from __future__ import annotations

import marshal
import operator
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter

from xxhash import xxh3_128_intdigest

from handrail.databases.sqlite.catalog import plain_tables, quoted, table_columns
from handrail.facts import (
    ColumnGroup,
    Fingerprint,
    FingerprintRequest,
    GroupDigest,
    OnTable,
    TableFingerprint,
    TableName,
    unheard,
)

ALGORITHM = "sqlite-rows-v2"
Row = tuple[object, ...]
_FORMAT = 2
_MODULUS = 1 << 128
#: More rows than a table can hold.
_MANY = 1 << 62
_write: Callable[[Row, int], bytes] = marshal.dumps  # type: ignore[assignment]  # typeshed's _Marshallable is closed


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a table, those with `above` < rowid <= `upto` where these are given, and the column groups to digest."""

    table: str
    groups: tuple[ColumnGroup, ...]
    above: int | None = None
    upto: int | None = None


@dataclass(frozen=True, slots=True)
class PartDigest:
    """How many rows a part has and, for each group, the sum of their numbers. Those of a table's parts add up."""

    rows: int
    sums: tuple[int, ...]
    seconds: float

    def __add__(self, other: PartDigest) -> PartDigest:
        sums = tuple((one + more) % _MODULUS for one, more in zip(self.sums, other.sums, strict=True))
        return PartDigest(self.rows + other.rows, sums, self.seconds + other.seconds)


#: Digests whole tables, in their order.
Digesting = Callable[[sqlite3.Connection, Sequence[Part]], Iterator[PartDigest]]


def fingerprint(
    raw: sqlite3.Connection,
    request: FingerprintRequest | None,
    *,
    version_table: str,
    known: Mapping[str, TableFingerprint] | None = None,
    on_table: OnTable = unheard,
    digesting: Digesting | None = None,
) -> Fingerprint:
    """Fingerprint what this connection sees. The caller holds the snapshot; no transaction is begun or ended here.
    `known` are the tables that hold what they held, by name: what is known of them is not read again."""
    wanted, known = request or {}, known or {}
    tables = []
    with as_text(raw, str):
        asked = [
            Part(name, _groups(table_columns(raw, name), wanted.get(TableName(name))))
            for name in plain_tables(raw, version_table)
        ]
        found = {one.table: known[one.table].having(one.groups) for one in asked if one.table in known}
        new = (digesting or one_by_one)(raw, [one for one in asked if found.get(one.table) is None])
        for one in asked:
            tables.append(found.get(one.table) or _told(one, next(new)))
            on_table(tables[-1])
        return Fingerprint(ALGORITHM, tuple(tables), sequences(raw))


def _told(part: Part, found: PartDigest) -> TableFingerprint:
    digests = tuple(GroupDigest(group, f"{total:032x}") for group, total in zip(part.groups, found.sums, strict=True))
    return TableFingerprint(TableName(part.table), found.rows, digests, found.seconds)


def one_by_one(raw: sqlite3.Connection, parts: Sequence[Part]) -> Iterator[PartDigest]:
    """Digest with this connection alone."""
    return (digest_part(raw, part) for part in parts)


def sequences(raw: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    """AUTOINCREMENT counters by table."""
    cursor = own_cursor(raw)
    if not cursor.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone():
        return ()
    return tuple(cursor.execute("SELECT name, seq FROM sqlite_sequence WHERE seq IS NOT NULL ORDER BY name").fetchall())


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


def _groups(columns: tuple[str, ...], wanted: tuple[ColumnGroup, ...] | None) -> tuple[ColumnGroup, ...]:
    """The groups to digest: those wanted that the table has, or all its columns as one."""
    if wanted is None:
        return (columns,)
    there = {column.casefold() for column in columns}
    return tuple(group for group in dict.fromkeys(wanted) if all(column.casefold() in there for column in group))


def digest_part(raw: sqlite3.Connection, part: Part) -> PartDigest:
    """Read the rows of a part."""
    began = time.perf_counter()
    needed = tuple(dict.fromkeys(column for group in part.groups for column in group))
    source = _Rows(part, needed, _bounds(raw, part))
    with as_text(raw, bytes):
        rows, sums = source.sum_groups(raw) if part.groups else (source.count(raw), [])
        if needed and source.have_blobs(raw):
            sums = list(map(operator.add, sums, source.sum_blobs(raw)))
    return PartDigest(rows, tuple(total % _MODULUS for total in sums), time.perf_counter() - began)


def rowid_name(columns: Sequence[str]) -> str:
    """A name by which the rowid can be asked for; "" when columns hide it."""
    taken = {column.casefold() for column in columns}
    return next((name for name in ("_rowid_", "rowid", "oid") if name not in taken), "")


def _bounds(raw: sqlite3.Connection, part: Part) -> str:
    """The condition that chooses the rows of a part; "" for all of them."""
    limits = ((">", part.above), ("<=", part.upto))
    if part.above is None and part.upto is None:
        return ""
    name = rowid_name(table_columns(raw, part.table))
    return " AND ".join(f"{name} {sign} {limit}" for sign, limit in limits if limit is not None)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a part, with the columns that its groups need."""

    part: Part
    needed: tuple[str, ...]
    bounds: str

    def _source(self, condition: str = "") -> str:
        """`FROM …` with what chooses the rows."""
        both = " AND ".join(one for one in (self.bounds, condition) if one)
        return f"FROM {quoted(self.part.table)}" + (f" WHERE {both}" if both else "")

    def count(self, raw: sqlite3.Connection) -> int:
        return int(own_cursor(raw).execute(f"SELECT count(*) {self._source()}").fetchone()[0])

    @property
    def _is_blob(self) -> str:
        """That one of the columns holds a BLOB (WHERE is faster than an aggregate)."""
        return "(" + " OR ".join(f"typeof({quoted(column)}) = 'blob'" for column in self.needed) + ")"

    def have_blobs(self, raw: sqlite3.Connection) -> bool:
        return bool(own_cursor(raw).execute(f"SELECT EXISTS (SELECT 1 {self._source(self._is_blob)})").fetchone()[0])

    def sum_groups(self, raw: sqlite3.Connection) -> tuple[int, list[int]]:
        """How many rows, and the sums; one pass. `+column` keeps converters of declared types (detect_types) out of the
        way."""
        needed, groups = self.needed, self.part.groups
        selected = ", ".join(f"+{quoted(column)} AS c{place}" for place, column in enumerate(needed)) or "NULL"
        rows = own_cursor(raw).execute(f"SELECT {selected} {self._source()}")
        formats = repeat(_FORMAT, _MANY)  # one is taken for each row, and what is left of them is known
        if len(groups) == 1 and groups[0] == needed:
            sums = [sum(map(xxh3_128_intdigest, map(_write, rows, formats)))]
        else:
            sums = _sum_picked(
                rows, [_picker(tuple(needed.index(column) for column in group)) for group in groups], formats
            )
        return _MANY - operator.length_hint(formats), sums

    def sum_blobs(self, raw: sqlite3.Connection) -> list[int]:
        """The second numbers of the rows that hold a BLOB."""
        needed, groups = self.needed, self.part.groups
        flags = [f"typeof({quoted(column)}) = 'blob'" for column in needed]
        selected = ", ".join([*(f"+{quoted(column)}" for column in needed), *flags])
        rows = own_cursor(raw).execute(f"SELECT {selected} {self._source(self._is_blob)}")
        values = [_picker(tuple(needed.index(column) for column in group)) for group in groups]
        marks = [_picker(tuple(len(needed) + needed.index(column) for column in group)) for group in groups]
        sums = [0] * len(groups)
        for row in rows:
            for place, (pick, mark) in enumerate(zip(values, marks, strict=True)):
                if any(mark(row)):
                    written = _write((pick(row), mark(row)), _FORMAT)
                    sums[place] += xxh3_128_intdigest(written)
        return sums


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
