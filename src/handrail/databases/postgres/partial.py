"""Dumps of a part of a database: every definition, and the rows of some tables or of none.

`pg_dump --table` leaves out what a table stands on (its enum types, say), so that nothing but the database it came from
can take it back. A dump that holds all definitions can be restored, and so be proven, anywhere.
"""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from handrail.backups.methods import DumpRequest
from handrail.databases.postgres import digest
from handrail.databases.postgres.quoting import Query, identifier, literal, qualified
from handrail.errors import UsageError
from handrail.facts import FingerprintRequest, TableName

#: Bytes of names that a command line surely takes (Linux: 128 KiB for one argument, 2 MiB for all).
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """What pg_dump is told beside, and the tables whose rows the dump will hold."""

    arguments: tuple[str, ...] = ()
    digested: FingerprintRequest = field(default_factory=dict)


def part_of(query: Query, schema: str, version_table: TableName, request: DumpRequest) -> Part:
    """How pg_dump dumps what was asked for. UsageError for a table that is not there, or too many to be left out."""
    if request.schema_only:
        return Part(("--schema-only",))
    if not request.tables:
        return Part()
    with_rows = {entry.table: entry.columns for entry in digest.digestible(query, schema, version_table)}
    asked = [digest.named(table.schema or schema, table.name, schema) for table in request.tables]
    chosen = frozenset(one for table in asked for one in _with_parts(query, schema, table, tuple(with_rows)))
    kept = chosen | {digest.named(version_table.schema or schema, version_table.name, schema)}
    left = [
        f"--exclude-table-data={identifier(where)}.{identifier(name)}"
        for where, name in query(
            "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE c.relkind IN ('r', 'm') AND {digest.USER_TABLES} ORDER BY 1, 2"
        )
        if digest.named(where, name, schema) not in kept
    ]
    if sum(map(len, left)) > _MOST_BYTES:
        raise UsageError(
            f"the rows of {len(left):,} tables cannot be left out",
            why="a command line has no room for their names",
            hint="back up the whole database: leave --table out",
        )
    return Part(("--no-blobs", *left), {table: (with_rows[table],) for table in sorted(chosen, key=str)})


def _with_parts(query: Query, schema: str, table: TableName, known: tuple[TableName, ...]) -> tuple[TableName, ...]:
    """The table, or the partitions that hold its rows."""
    if table in known:
        return (table,)
    rows = query(
        "SELECT n.nspname::text, c.relname::text FROM"
        f" pg_partition_tree(to_regclass({literal(qualified(table, schema))})) t JOIN pg_class c ON c.oid = t.relid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE t.isleaf"
    )
    parts = tuple(digest.named(where, name, schema) for where, name in rows)
    found = tuple(one for one in parts if one in known)
    if found:
        return found
    close = difflib.get_close_matches(str(table), [str(one) for one in known], n=1)
    raise UsageError(
        f"there is no table {table} with rows of its own",
        why="" if close else f"there are: {', '.join(sorted(map(str, known))[:10]) or 'none'}",
        hint=f"did you mean --table {close[0]}?" if close else "handrail backup show lists the tables of a backup",
    )
