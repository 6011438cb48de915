"""Which tables a backup holds, by its manifest: asked before anything of it is restored."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from handrail.backups.record import BackupRecord
from handrail.errors import UsageError
from handrail.facts import ObjectKind, TableName

#: So many tables are named where none is near.
_NAMED = 10
#: A virtual table of SQLite is in no manifest: one of the tables that it keeps its rows in is (fts5, fts4, rtree).
_BEHIND = ("_data", "_segments", "_node")


def require_table(record: BackupRecord, table: TableName, *, version_table: TableName) -> None:
    """UsageError, with the tables that are near, where the backup holds no such table or none of its rows.

    `version_table` is Alembic's own, which no manifest lists. A schema that is written out may be the one that goes
    without saying: no manifest tells which that is."""
    if table == version_table:
        return
    if not _is_among(table, _held(record), record.engine):
        raise _without(record, table)
    with_rows = (*record.tables, *(one.table for one in record.fingerprint.tables))
    if record.tables and not _is_among(table, map(str, with_rows), record.engine):
        raise UsageError(
            f"backup {record.id} has no rows of {table}",
            why=f"it is of {', '.join(map(str, record.tables))} alone",
            hint="choose a backup of the whole database: handrail backup list",
        )


def _held(record: BackupRecord) -> Iterator[str]:
    yield from (str(one.name) for one in record.facts.tables)
    yield from (str(one.table) for one in record.fingerprint.tables)
    yield from (one.name for one in record.facts.objects if one.kind is ObjectKind.VIEW)


def _is_among(table: TableName, names: Iterable[str], engine: str) -> bool:
    """SQLite takes a name in any case."""
    if engine == "sqlite":
        held, name = {one.lower() for one in names}, str(table).lower()
        return name in held or any(f"{name}{ending}" in held for ending in _BEHIND)
    held = set(names)
    return str(table) in held or (table.schema is not None and table.name in held)


def _without(record: BackupRecord, table: TableName) -> UsageError:
    names = sorted(set(_held(record)))
    close = difflib.get_close_matches(str(table), names, n=3)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return UsageError(
        f"backup {record.id} has no table {table}",
        why="" if close else f"it has {', '.join(names[:_NAMED]) or 'none'}{more}",
        hint=f"did you mean {' or '.join(f'--table {one}' for one in close)}?"
        if close
        else f"handrail backup show {record.id} lists its tables",
    )
