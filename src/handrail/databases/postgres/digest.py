"""Fingerprints of PostgreSQL tables, computed by the server: algorithm "postgres-rowtext-v1".

For each row the values of a column group, in the group's order, are written as PostgreSQL's own text of `ROW(a, b, …)`
under fixed session settings (`reading.SETTINGS`): floats with the shortest digits that read back exactly (so NaN, -0
and infinities have their own text), times in UTC and ISO, bytea in hex, numeric with its scale, enums by label, arrays,
ranges and composites as literals. NULL is nothing between two commas, the empty string is `""`. The text is hashed by
`hashtextextended` under two seeds (64 bits each, the same in every supported version and on every little-endian
machine), and each hash is summed over all rows, exactly, then taken modulo 2**64. A sum, unlike an xor, keeps equal
rows apart from none. The digest is both sums, 32 hexadecimal digits. It guards against accidents, not against forgery.

* Values are compared by their text: `1` as integer and `1` as text have equal digests; that a type changed is seen in
  the facts. So is a collation.
* Included: generated columns that a group names (the whole table is all its columns), tables without a primary key,
  without rows, without columns, unlogged ones, other schemas, each partition, each table of an inheritance tree alone.
* Skipped: the version table, system and temporary tables, tables that belong to an extension, foreign tables,
  partitioned parents (their partitions hold the rows), materialized views (derived; loading a dump refreshes them).
* Large objects are counted, as the rows of `pg_catalog.pg_largeobject_metadata`, when there are any.
* Sequences: last_value of those that have given a value, by name. They are not transactional: a sequence may be ahead
  of the snapshot, so a restored value is right when it is not smaller.
* Column groups that a table does not have are left out of the answer: the caller sees them as missing.
* Limit: a row whose text is over 1 GB (bytea counts twice) makes PostgreSQL raise an error, and so does pg_dump.
"""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from handrail.databases.postgres.quoting import Query, Rows, identifiers, qualified
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

ALGORITHM = "postgres-rowtext-v1"
#: Tables whose locks are held at once, beside those that the caller holds.
_BATCH = 200
_LARGE_OBJECTS = TableName("pg_largeobject_metadata", "pg_catalog")

#: Shared with the catalog: the schemas, kinds and owners of tables that are the user's.
USER_TABLES = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname, 'pg_toast')"
    " AND c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass"
    " AND e.objid = c.oid AND e.deptype = 'e')"
)


@dataclass(frozen=True, slots=True)
class Digestible:
    """A table to fingerprint, with its columns in their order."""

    table: TableName
    columns: tuple[str, ...]


#: The digests of a whole table, where they need not be made.
Known = Callable[[TableName], TableFingerprint | None]


def unknown(_table: TableName) -> None:
    """Nothing is known."""


def fingerprint(
    query: Query,
    request: FingerprintRequest | None,
    *,
    default_schema: str,
    version_table: TableName,
    named_only: bool = False,
    known: Known = unknown,
    on_table: OnTable = unheard,
    rows: Rows | None = None,
) -> Fingerprint:
    """Fingerprint what this session sees; `rows` reads the list of its tables. The caller holds the snapshot and has
    set `reading.SETTINGS`. `named_only`: tables that the request does not name are left out. `known` is asked only of
    those that it does not name."""
    wanted, shared = request or {}, Sharing()
    tables, waiting = [], digestible(rows or query, default_schema, version_table)
    while batch := tuple(islice(waiting, _BATCH)):
        with _locks_released(query, is_needed=len(batch) == _BATCH and not named_only):
            for found in batch:
                if not named_only or found.table in wanted:
                    before = None if found.table in wanted else known(found.table)
                    made = before or _digest_table(query, found, wanted.get(found.table), default_schema)
                    tables.append(shared.fingerprint(made))
                    on_table(tables[-1])
    large = int(query("SELECT count(*) FROM pg_largeobject_metadata")[0][0])
    if large:
        tables.append(TableFingerprint(_LARGE_OBJECTS, large, ()))
    tables.sort(key=lambda entry: (entry.table.name, entry.table.schema or ""))
    return Fingerprint(ALGORITHM, tuple(tables), sequences(query, default_schema))


@contextmanager
def _locks_released(query: Query, *, is_needed: bool) -> Iterator[None]:
    """Reading locks a table and all its indexes until the transaction ends, or a savepoint is rolled back: a server may
    have no room for so many locks at once, where it still has for those of pg_dump, which locks tables only."""
    if not is_needed:
        yield
        return
    query("SAVEPOINT handrail_batch")
    yield
    query("ROLLBACK TO SAVEPOINT handrail_batch")
    query("RELEASE SAVEPOINT handrail_batch")


def digestible(query: Rows, default_schema: str, version_table: TableName) -> Iterator[Digestible]:
    """The tables that a fingerprint speaks of, as `query` reads them."""
    shared = Sharing()
    rows = query(
        "SELECT n.nspname::text, c.relname::text,"
        " ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped ORDER BY a.attnum)"
        f" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {USER_TABLES}"
    )
    skipped = named(version_table.schema or default_schema, version_table.name, default_schema)
    for schema, name, columns in rows:
        if (table := named(schema, name, default_schema)) != skipped:
            yield Digestible(table, shared.group(tuple(columns)))


def named(schema: str, name: str, default_schema: str) -> TableName:
    return TableName(name, None if schema == default_schema else schema)


def sequences(query: Query, default_schema: str) -> tuple[tuple[str, int], ...]:
    """Last values by name, of the sequences that have given one and that this role may read."""
    rows = query(
        "SELECT schemaname::text, sequencename::text, last_value FROM pg_sequences s WHERE last_value IS NOT NULL"
        " AND NOT starts_with(schemaname, 'pg_temp')"
    )
    return tuple(sorted((str(named(schema, name, default_schema)), int(last)) for schema, name, last in rows))


def _digest_table(
    query: Query, found: Digestible, groups: tuple[ColumnGroup, ...] | None, default_schema: str
) -> TableFingerprint:
    began = time.perf_counter()
    if groups is None:
        groups = (found.columns,)
    groups = tuple(group for group in dict.fromkeys(groups) if set(group) <= set(found.columns))
    count, *sums = query(digest_sql(qualified(found.table, default_schema), groups))[0]
    pairs = zip(sums[::2], sums[1::2], strict=True)
    digests = tuple(GroupDigest(group, f"{a}{b}") for group, (a, b) in zip(groups, pairs, strict=True))
    return TableFingerprint(found.table, int(count), digests, time.perf_counter() - began)


def digest_sql(table: str, groups: tuple[ColumnGroup, ...]) -> str:
    """One scan for the count and all groups. OFFSET 0 keeps the text of a row from being made twice."""
    if not groups:
        return f"SELECT count(*) FROM ONLY {table}"
    texts = ", ".join(f'ROW({identifiers(group)})::text COLLATE "C" AS g{place}' for place, group in enumerate(groups))
    sums = ", ".join(_hex_sum(f"g{place}", seed) for place in range(len(groups)) for seed in (0, 1))
    return f"SELECT count(*), {sums} FROM (SELECT {texts} FROM ONLY {table} OFFSET 0) AS texts"


def _hex_sum(text: str, seed: int) -> str:
    """The sum of hashes modulo 2**64 as 16 hexadecimal digits; mod() of a negative sum is negative, hence the shift."""
    total = f"mod(coalesce(sum(hashtextextended({text}, {seed})), 0), 18446744073709551616)"
    shifted = f"mod({total} + 18446744073709551616, 18446744073709551616)"
    return (
        f"lpad(to_hex(div({shifted}, 4294967296)::bigint), 8, '0')"
        f" || lpad(to_hex(mod({shifted}, 4294967296)::bigint), 8, '0')"
    )
