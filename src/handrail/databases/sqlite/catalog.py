"""The catalog of a SQLite database as facts: tables, columns, indexes, constraints, triggers, views."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain

from handrail.databases.sqlite.ddl import collations, constraints, normalised
from handrail.facts import (
    REPLICATOR_TABLES,
    BrokenReference,
    Capability,
    ColumnFacts,
    DatabaseFacts,
    ObjectKind,
    SchemaObject,
    Sharing,
    TableFacts,
    TableName,
)

CAPABILITIES = frozenset({Capability.TRANSACTIONAL_DDL, Capability.WHOLE_RUN_TRANSACTION})
_KINDS = {"index": ObjectKind.INDEX, "trigger": ObjectKind.TRIGGER, "view": ObjectKind.VIEW}
#: `hidden` of PRAGMA table_xinfo for VIRTUAL and STORED generated columns; 1 is a virtual table's hidden column.
_GENERATED = (2, 3)
_MISMATCH = re.compile(r'foreign key mismatch - ".*" referencing "(.*)"')


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def size_bytes(raw: sqlite3.Connection) -> int:
    """The size of the file, by its pages."""
    return _number(raw, "PRAGMA page_size") * _number(raw, "PRAGMA page_count")


def facts(raw: sqlite3.Connection, *, version_table: str) -> DatabaseFacts:
    """The catalog as this connection sees it, uncommitted changes included."""
    shared, texts = Sharing(), _table_texts(raw)
    names = plain_tables(raw, version_table)
    objects = chain(_named_objects(raw, version_table), _constraints(texts, names))
    return DatabaseFacts(
        engine="sqlite",
        version=sqlite3.sqlite_version,
        capabilities=CAPABILITIES,
        tables=tuple(shared.table(_table(raw, name, texts.get(name, ""))) for name in names),
        objects=tuple(
            sorted(
                map(shared.object, objects),
                key=lambda thing: (thing.kind, str(thing.table), thing.name, thing.definition),
            )
        ),
        size_bytes=size_bytes(raw),
    )


def plain_tables(raw: sqlite3.Connection, version_table: str) -> tuple[str, ...]:
    """Names of the tables that hold rows of their own, sorted; `version_table` and a replicator's are left out."""
    found = _rows(
        raw,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND rootpage > 0"
        " AND lower(name) <> lower(?)",
        version_table,
    )
    return tuple(sorted({str(name) for (name,) in found} - REPLICATOR_TABLES))


def storage(raw: sqlite3.Connection) -> dict[TableName, int]:
    """Root page of each table: another one means that the table was made anew."""
    found = _rows(raw, "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
    return {TableName(str(name)): int(str(page)) for name, page in found}


def table_columns(raw: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(str(row[1]) for row in _rows(raw, f"PRAGMA table_xinfo({quoted(table)})") if row[6] != 1)


def revisions(raw: sqlite3.Connection, version_table: str) -> tuple[str, ...]:
    if not _rows(raw, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)", version_table):
        return ()
    found = _rows(raw, f"SELECT version_num FROM {quoted(version_table)} WHERE version_num IS NOT NULL")  # noqa: S608
    return tuple(sorted(str(revision) for (revision,) in found))


def broken_references(raw: sqlite3.Connection) -> tuple[BrokenReference, ...]:
    """Rows whose foreign key points to nothing, counted per key."""
    tables = [str(row[0]) for row in _rows(raw, "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")]
    return tuple(sorted(broken for table in tables for broken in _broken_in(raw, table)))


def _broken_in(raw: sqlite3.Connection, table: str) -> list[BrokenReference]:
    keys: dict[int, tuple[str, list[str]]] = {}
    for row in _rows(raw, f"PRAGMA foreign_key_list({quoted(table)})"):
        keys.setdefault(int(str(row[0])), (str(row[2]), []))[1].append(str(row[3]))
    if not keys:
        return []
    try:
        found = _rows(raw, f"PRAGMA foreign_key_check({quoted(table)})")
    except sqlite3.OperationalError as error:
        mismatch = _MISMATCH.search(str(error))
        if mismatch is None:
            raise
        return [BrokenReference(TableName(table), (), TableName(mismatch[1]), None)]
    counts = Counter(int(str(row[3])) for row in found)
    return [
        BrokenReference(TableName(table), tuple(keys[key][1]), TableName(keys[key][0]), rows)
        for key, rows in counts.items()
    ]


def _table(raw: sqlite3.Connection, name: str, text: str) -> TableFacts:
    found = [row for row in _rows(raw, f"PRAGMA table_xinfo({quoted(name)})") if row[6] != 1]
    collated = collations(text)
    keys = sorted((int(str(row[5])), str(row[1])) for row in found if row[5])
    return TableFacts(
        name=TableName(name),
        columns=tuple(
            ColumnFacts(
                name=str(row[1]),
                type=str(row[2]),
                nullable=not row[3],
                default=None if row[4] is None else str(row[4]),
                generated=row[6] in _GENERATED,
                collation=collated.get(str(row[1])),
            )
            for row in found
        ),
        primary_key=tuple(column for _, column in keys),
        rows_estimate=_rows_at_most(raw, name),
    )


def _rows_at_most(raw: sqlite3.Connection, name: str) -> int | None:
    """The highest rowid, which costs one step down the tree: as many rows as that when none was deleted. For a table
    without rowids, or whose columns hide it, only whether it is empty."""
    with suppress(sqlite3.OperationalError):
        highest = _rows(raw, f"SELECT max(_rowid_) FROM {quoted(name)}")[0][0]  # noqa: S608 - quoted
        if highest is None or isinstance(highest, int):
            return max(0, highest or 0)
    is_filled = _rows(raw, f"SELECT EXISTS (SELECT 1 FROM {quoted(name)})")[0][0]  # noqa: S608 - quoted
    return None if is_filled else 0


def _named_objects(raw: sqlite3.Connection, version_table: str) -> Iterator[SchemaObject]:
    """Indexes (without those that constraints make by themselves), triggers and views."""
    found = _rows(
        raw,
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view')"
        " AND sql IS NOT NULL AND lower(tbl_name) <> lower(?)",
        version_table,
    )
    for kind, name, table, sql in found:
        owner = None if kind == "view" else TableName(str(table))
        yield SchemaObject(_KINDS[str(kind)], str(name), owner, normalised(str(sql)))


def _constraints(texts: Mapping[str, str], tables: tuple[str, ...]) -> Iterator[SchemaObject]:
    for table in tables:
        for name, definition in constraints(texts.get(table, "")):
            yield SchemaObject(ObjectKind.CONSTRAINT, name or definition, TableName(table), definition)


def _table_texts(raw: sqlite3.Connection) -> dict[str, str]:
    """How each table was made, by its name: asked for one after the other, each would be looked for among all."""
    found = _rows(raw, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
    return {str(name): str(text) for name, text in found}


def _rows(raw: sqlite3.Connection, sql: str, *values: str) -> list[tuple[object, ...]]:
    cursor = raw.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, values).fetchall()


def _number(raw: sqlite3.Connection, sql: str) -> int:
    return int(str(_rows(raw, sql)[0][0]))
