"""Alembic's operations as our values: which table, which column, what default, are values converted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from alembic.operations import ops
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import Column, MetaData, Table
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine, to_instance

from handrail.facts import TableName
from handrail.migrations.operations import Operation, OperationKind, SourcePosition


def operation_of(
    op: ops.MigrateOperation, *, revision: str, position: SourcePosition, dialect: Dialect
) -> Operation | None:
    """The operation as a value; None for the containers that batch mode and autogenerate use."""
    if isinstance(op, ops.OpContainer):
        return None
    for kind, read in _READERS:
        if isinstance(op, kind):
            blank = Operation(OperationKind.OTHER, revision, position)
            return dataclasses.replace(blank, **read(op, dialect))
    return Operation(OperationKind.OTHER, revision, position, table=_table(op))


def _table(op: Any) -> TableName | None:
    name = getattr(op, "table_name", None)
    return TableName(str(name), getattr(op, "schema", None)) if name is not None else None


def _create_table(op: ops.CreateTableOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.CREATE_TABLE, "table": _table(op)}


def _drop_table(op: ops.DropTableOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.DROP_TABLE, "table": _table(op)}


def _rename_table(op: ops.RenameTableOp, _: Dialect) -> dict[str, Any]:
    new = TableName(str(op.new_table_name), op.schema)
    return {"kind": OperationKind.RENAME_TABLE, "table": _table(op), "new_table": new}


def _add_column(op: ops.AddColumnOp, dialect: Dialect) -> dict[str, Any]:
    return {
        "kind": OperationKind.ADD_COLUMN,
        "table": _table(op),
        "column": str(op.column.name),
        "nullable": bool(op.column.nullable),
        "server_default": _default(op.column, dialect),
    }


def _drop_column(op: ops.DropColumnOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.DROP_COLUMN, "table": _table(op), "column": str(op.column_name)}


def _alter_column(op: ops.AlterColumnOp, dialect: Dialect) -> dict[str, Any]:
    return {
        "kind": OperationKind.ALTER_COLUMN,
        "table": _table(op),
        "column": str(op.column_name),
        "new_column": str(op.modify_name) if op.modify_name else None,
        "nullable": op.modify_nullable,
        "changes_values": _converts(op, dialect),
    }


def _create_index(op: ops.CreateIndexOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.CREATE_INDEX, "table": _table(op), "object_name": _name(op.index_name)}


def _drop_index(op: ops.DropIndexOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.DROP_INDEX, "table": _table(op), "object_name": _name(op.index_name)}


def _create_constraint(op: ops.AddConstraintOp, _: Dialect) -> dict[str, Any]:
    table = _table(op)
    if isinstance(op, ops.CreateForeignKeyOp):
        table = TableName(str(op.source_table), op.kw.get("source_schema"))
    name = _name(getattr(op, "constraint_name", None))
    return {"kind": OperationKind.CREATE_CONSTRAINT, "table": table, "object_name": name}


def _drop_constraint(op: ops.DropConstraintOp, _: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.DROP_CONSTRAINT, "table": _table(op), "object_name": _name(op.constraint_name)}


def _bulk_insert(op: ops.BulkInsertOp, _: Dialect) -> dict[str, Any]:
    table = TableName(str(op.table.name), getattr(op.table, "schema", None))
    return {"kind": OperationKind.BULK_INSERT, "table": table}


def _execute(op: ops.ExecuteSQLOp, dialect: Dialect) -> dict[str, Any]:
    return {"kind": OperationKind.EXECUTE, "sql": _sql(op.sqltext, dialect)}


_READERS: tuple[tuple[type[ops.MigrateOperation], Callable[[Any, Dialect], dict[str, Any]]], ...] = (
    (ops.CreateTableOp, _create_table),
    (ops.DropTableOp, _drop_table),
    (ops.RenameTableOp, _rename_table),
    (ops.AddColumnOp, _add_column),
    (ops.DropColumnOp, _drop_column),
    (ops.AlterColumnOp, _alter_column),
    (ops.CreateIndexOp, _create_index),
    (ops.DropIndexOp, _drop_index),
    (ops.AddConstraintOp, _create_constraint),
    (ops.DropConstraintOp, _drop_constraint),
    (ops.BulkInsertOp, _bulk_insert),
    (ops.ExecuteSQLOp, _execute),
)


def _name(name: Any) -> str | None:
    return str(name) if name is not None else None


def _sql(statement: Any, dialect: Dialect) -> str:
    if isinstance(statement, str):
        return statement
    try:
        return str(statement.compile(dialect=dialect)) if isinstance(statement, ClauseElement) else str(statement)
    except Exception:  # noqa: BLE001, RUF100 - a statement that cannot be shown is still a statement
        return str(statement)


def _default(column: Column[Any], dialect: Dialect) -> str | None:
    if column.server_default is None:
        return None
    if column.computed is not None:
        return f"GENERATED ALWAYS AS ({column.computed.sqltext})"
    if column.identity is not None:
        return "GENERATED AS IDENTITY"
    copy = column._copy()
    Table("t", MetaData(), copy)
    text = dialect.ddl_compiler(dialect, None).get_column_default_string(copy)  # type: ignore[arg-type] # no statement is needed
    return text if text is None else str(text)


def _converts(op: ops.AlterColumnOp, dialect: Dialect) -> bool:
    if op.modify_type is None:
        return False
    if op.existing_type is None or op.kw.get("postgresql_using"):
        return True
    return _type_sql(op.existing_type, dialect) != _type_sql(op.modify_type, dialect)


def _type_sql(kind: TypeEngine[Any] | type[TypeEngine[Any]], dialect: Dialect) -> str:
    return to_instance(kind).compile(dialect=dialect)
