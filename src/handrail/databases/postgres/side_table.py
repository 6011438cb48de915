"""One table of a restored copy, brought beside the live one, and the two compared."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.databases.database import SideTable
from handrail.databases.postgres.connection import asker, connect, translated
from handrail.databases.postgres.quoting import Query, identifier, identifiers, literal, qualified
from handrail.errors import BackupError, UsageError
from handrail.facts import DatabaseAddress, TableName

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]


def bring(copy: DatabaseAddress, live: DatabaseAddress, application: str, table: TableName, name: str) -> SideTable:
    """Make the table `name` in the schema of the live one and fill it with the copy's rows, in one transaction."""
    with (
        translated(live, BackupError),
        connect(copy, application) as source,
        connect(live, application) as target,
        target.transaction(),
    ):
        query = asker(target)
        query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        schema = table.schema or _default_schema(query)
        side, home = TableName(name, schema), TableName(table.name, schema)
        if _columns(query, side):
            raise UsageError(f"the table {name} is there already", hint="choose another name: --into NAME")
        there = TableName(table.name, table.schema or _default_schema(asker(source)))
        types = _columns(asker(source), there)
        if not types:
            raise UsageError(f"the backup has no table {table}", hint="handrail backup show lists its tables")
        definitions = ", ".join(f"{identifier(column)} {type_}" for column, type_ in types.items())
        query(f"CREATE TABLE {qualified(side, schema)} ({definitions})")
        _copy(source, target, f"{qualified(there, schema)} ({identifiers(types)})", qualified(side, schema))
        if key := _key(asker(source), there):
            query(f"ALTER TABLE {qualified(side, schema)} ADD PRIMARY KEY ({identifiers(key)})")
        return _compare(query, home, side, types)


def _default_schema(query: Query) -> str:
    return str(query("SELECT coalesce(current_schema(), 'public')::text")[0][0])


def _columns(query: Query, table: TableName) -> dict[str, str]:
    """Types by column, in order and with their schemas; none for a table that is not there."""
    assert table.schema is not None  # noqa: S101 - the callers say it
    query("SET LOCAL search_path TO pg_catalog")
    rows = query(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        f" WHERE a.attrelid = to_regclass({literal(qualified(table, table.schema))}) AND a.attnum > 0"
        " AND NOT a.attisdropped ORDER BY a.attnum"
    )
    return {str(name): str(type_) for name, type_ in rows}


def _copy(source: Connection, target: Connection, columns: str, side: str) -> None:
    reading = source.cursor().copy(f"COPY {columns} TO STDOUT (FORMAT binary)".encode())
    writing = target.cursor().copy(f"COPY {side} FROM STDIN (FORMAT binary)".encode())
    with reading as read, writing as write:
        for piece in read:
            write.write(piece)


def _compare(query: Query, live: TableName, side: TableName, types: dict[str, str]) -> SideTable:
    """How the live table differs, by its primary key; without one only rows are counted."""
    here = _columns(query, live)
    rows = int(query(f"SELECT count(*) FROM {_of(side)}")[0][0])
    if not here:
        return SideTable(side.name, rows, None)
    live_rows = int(query(f"SELECT count(*) FROM {_of(live)}")[0][0])
    key = _key(query, live)
    if not key or not set(key) <= types.keys():
        return SideTable(side.name, rows, live_rows)
    same = " AND ".join(f"a.{identifier(column)} = b.{identifier(column)}" for column in key)
    values = [identifier(column) for column in types if column in here and column not in key]
    differs = " OR ".join(f"a.{value}::text IS DISTINCT FROM b.{value}::text" for value in values) or "false"
    lost = f"SELECT count(*) FROM {_of(side)} a WHERE NOT EXISTS (SELECT FROM {_of(live)} b WHERE {same})"
    new = f"SELECT count(*) FROM {_of(live)} a WHERE NOT EXISTS (SELECT FROM {_of(side)} b WHERE {same})"
    changed = f"SELECT count(*) FROM {_of(side)} a JOIN {_of(live)} b ON {same} WHERE {differs}"
    counts = (int(query(sql)[0][0]) for sql in (lost, new, changed))
    return SideTable(side.name, rows, live_rows, *counts)


def _of(table: TableName) -> str:
    return qualified(table, table.schema or "")


def _key(query: Query, table: TableName) -> tuple[str, ...]:
    rows = query(
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
        f" AND a.attnum = ANY (i.indkey) WHERE i.indisprimary AND i.indrelid = to_regclass({literal(_of(table))})"
    )
    return tuple(str(name) for (name,) in rows)
