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
_write: Callable[[Row, int], bytes] = marshal.dumps  # type: ignore[assignment]  # typeshed's _Marshallable is closed


def fingerprint(
    raw: sqlite3.Connection,
    request: FingerprintRequest | None,
    *,
    version_table: str,
    known: Mapping[str, TableFingerprint] | None = None,
    on_table: OnTable = unheard,
) -> Fingerprint:
    """Fingerprint what this connection sees. The caller holds the snapshot; no transaction is begun or ended here.
    `known` are the tables that hold what they held, by name: what is known of them is not read again."""
    wanted, known = request or {}, known or {}
    tables = []
    with as_text(raw, str):
        for name in plain_tables(raw, version_table):
            groups = _groups(table_columns(raw, name), wanted.get(TableName(name)))
            found = known[name].having(groups) if name in known else None
            tables.append(found or _digest_table(raw, name, groups))
            on_table(tables[-1])
        return Fingerprint(ALGORITHM, tuple(tables), sequences(raw))


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


def _digest_table(raw: sqlite3.Connection, name: str, groups: tuple[ColumnGroup, ...]) -> TableFingerprint:
    began = time.perf_counter()
    needed = tuple(dict.fromkeys(column for group in groups for column in group))
    rows, blobs = _count(raw, name, needed)
    with as_text(raw, bytes):
        sums = _sum_groups(raw, name, needed, groups)
        if blobs:
            sums = list(map(operator.add, sums, _sum_blobs(raw, name, needed, groups)))
    digests = tuple(GroupDigest(group, f"{total % _MODULUS:032x}") for group, total in zip(groups, sums, strict=True))
    return TableFingerprint(TableName(name), rows, digests, time.perf_counter() - began)


def _count(raw: sqlite3.Connection, name: str, needed: tuple[str, ...]) -> tuple[int, int]:
    """All rows, and the rows that hold a BLOB in one of the columns (WHERE is faster than an aggregate of both)."""
    cursor, every = own_cursor(raw), f"SELECT count(*) FROM {quoted(name)}"  # noqa: S608 - quoted
    rows = int(cursor.execute(every).fetchone()[0])
    return rows, int(cursor.execute(f"{every} WHERE {_any_blob(needed)}").fetchone()[0]) if needed else 0


def _any_blob(columns: tuple[str, ...]) -> str:
    return " OR ".join(f"typeof({quoted(column)}) = 'blob'" for column in columns)


def _sum_groups(
    raw: sqlite3.Connection, name: str, needed: tuple[str, ...], groups: tuple[ColumnGroup, ...]
) -> list[int]:
    """One pass over the table. `+column` keeps converters of declared types (detect_types) out of the way."""
    if not groups:
        return []
    selected = ", ".join(f"+{quoted(column)} AS c{place}" for place, column in enumerate(needed)) or "NULL"
    rows = own_cursor(raw).execute(f"SELECT {selected} FROM {quoted(name)}")  # noqa: S608 - quoted above
    if len(groups) == 1 and groups[0] == needed:
        return [_sum_rows(rows)]
    return _sum_picked(rows, [_picker(tuple(needed.index(column) for column in group)) for group in groups])


def _sum_rows(rows: Iterator[Row]) -> int:
    return sum(map(xxh3_128_intdigest, map(_write, rows, repeat(_FORMAT))))


def _sum_picked(rows: Iterator[Row], pickers: Sequence[Callable[[Row], Row]]) -> list[int]:
    sums = [0] * len(pickers)
    write, number = _write, xxh3_128_intdigest
    places = tuple(enumerate(pickers))
    for row in rows:
        for place, pick in places:
            sums[place] += number(write(pick(row), _FORMAT))
    return sums


def _sum_blobs(
    raw: sqlite3.Connection, name: str, needed: tuple[str, ...], groups: tuple[ColumnGroup, ...]
) -> list[int]:
    """The second numbers of the rows that hold a BLOB."""
    flags = [f"typeof({quoted(column)}) = 'blob'" for column in needed]
    selected = ", ".join([*(f"+{quoted(column)}" for column in needed), *flags])
    rows = own_cursor(raw).execute(f"SELECT {selected} FROM {quoted(name)} WHERE {_any_blob(needed)}")  # noqa: S608
    values = [_picker(tuple(needed.index(column) for column in group)) for group in groups]
    marks = [_picker(tuple(len(needed) + needed.index(column) for column in group)) for group in groups]
    sums = [0] * len(groups)
    for row in rows:
        for place, (pick, mark) in enumerate(zip(values, marks, strict=True)):
            if any(mark(row)):
                written = _write((pick(row), mark(row)), _FORMAT)
                sums[place] += xxh3_128_intdigest(written)
    return sums


def _picker(places: tuple[int, ...]) -> Callable[[Row], Row]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _row: ()
    only = places[0]
    return lambda row: (row[only],)
