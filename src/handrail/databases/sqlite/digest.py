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
as missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence

from handrail.databases.sqlite.catalog import plain_tables, table_columns
from handrail.databases.sqlite.rows import Part, PartDigest, as_text, digest_part, own_cursor
from handrail.facts import (
    ColumnGroup,
    Fingerprint,
    FingerprintRequest,
    GroupDigest,
    OnTable,
    Sharing,
    TableFingerprint,
    TableName,
    unheard,
)

ALGORITHM = "sqlite-rows-v2"
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
    wanted, known, shared = request or {}, known or {}, Sharing()
    tables = []
    with as_text(raw, str):
        asked = [
            Part(name, tuple(map(shared.group, _groups(table_columns(raw, name), wanted.get(TableName(name))))))
            for name in plain_tables(raw, version_table)
        ]
        found = {one.table: known[one.table].having(one.groups) for one in asked if one.table in known}
        new = (digesting or one_by_one)(raw, [one for one in asked if found.get(one.table) is None])
        for one in asked:
            tables.append(shared.fingerprint(found.get(one.table) or _told(one, next(new))))
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


def _groups(columns: tuple[str, ...], wanted: tuple[ColumnGroup, ...] | None) -> tuple[ColumnGroup, ...]:
    """The groups to digest: those wanted that the table has, or all its columns as one."""
    if wanted is None:
        return (columns,)
    there = {column.casefold() for column in columns}
    return tuple(group for group in dict.fromkeys(wanted) if all(column.casefold() in there for column in group))
