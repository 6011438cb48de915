"""Builds revisions, facts and operations for the unit tests."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, SchemaObject, TableFacts, TableName
from handrail.migrations.operations import Operation, OperationKind, SourcePosition
from handrail.migrations.revision import Direction, Revision, RevisionPath

HEADER = "from alembic import op\nimport sqlalchemy as sa\n\n"


def revision(source: str = "", id_: str = "1a2b", path: str = "versions/x.py") -> Revision:
    return Revision(id=id_, down_revisions=(), message="", path=path, source=source)


def script(body: str, *, id_: str = "1a2b", down: str = "    pass\n", head: str = "") -> Revision:
    """A script whose upgrade() has `body` (indented by four)."""
    source = f"{HEADER}{head}\ndef upgrade() -> None:\n{body}\n\ndef downgrade() -> None:\n{down}"
    return revision(source, id_, f"versions/{id_}.py")


def path_of(*revisions: Revision, direction: Direction = Direction.UPGRADE) -> RevisionPath:
    return RevisionPath(direction, (), (), revisions)


def table(name: str, *columns: str | ColumnFacts, key: tuple[str, ...] = (), rows: int | None = None) -> TableFacts:
    listed = tuple(ColumnFacts(column, "TEXT", True) if isinstance(column, str) else column for column in columns)
    return TableFacts(TableName(name), listed, key, rows)


def facts(*tables: TableFacts, objects: Iterable[SchemaObject] = ()) -> DatabaseFacts:
    return DatabaseFacts("sqlite", "3.45", frozenset(), tables, tuple(objects), 0)


def thing(kind: ObjectKind, name: str, on: str | None, definition: str) -> SchemaObject:
    return SchemaObject(kind, name, None if on is None else TableName(on), definition)


def operation(
    kind: OperationKind,
    on: str | None = None,
    column: str | None = None,
    *,
    to: str | None = None,
    new_table: str | None = None,
    name: str | None = None,
    sql: str | None = None,
    changes_values: bool = False,
    line: int = 1,
    id_: str = "1a2b",
) -> Operation:
    return Operation(
        kind=kind,
        revision=id_,
        position=SourcePosition("versions/x.py", line),
        table=None if on is None else TableName(on),
        column=column,
        new_column=to,
        new_table=None if new_table is None else TableName(new_table),
        object_name=name,
        sql=sql,
        changes_values=changes_values,
    )
