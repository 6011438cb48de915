"""Turns one `op.something(...)` call of a migration script into an Operation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handrail.facts import TableName
from handrail.migrations.columns import ColumnText, default_text, read_column
from handrail.migrations.operations import Operation, OperationKind, SourcePosition
from handrail.migrations.values import UNKNOWN, Batch, Code, Scope, call_name, evaluate


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A piece of a script that only running it could tell, and why."""

    position: SourcePosition
    reason: str


@dataclass(frozen=True, slots=True)
class ReadOperation:
    """An operation as read from the text. `call` is the whole `op.…(…)` expression, `column` what ADD_COLUMN adds;
    `is_conditional` when it stands in an `if`, a `try` or a loop that could not be followed."""

    operation: Operation
    call: ast.Call
    column: ColumnText | None = None
    is_conditional: bool = False


@dataclass(slots=True)
class Arguments:
    """The arguments of one call, by position (batch calls leave the table out) or keyword."""

    call: ast.Call
    scope: Scope
    batch: Batch | None
    revision: str
    path: str

    def get(self, name: str, place: int | None = None) -> object:
        """`place` counts as in the call on `op`; where the table is left out use `get_in_batch`."""
        node = self.node(name, place)
        return self._in_dict(name) if node is None else evaluate(node, self.scope)

    def _in_dict(self, name: str) -> object:
        """The argument in a `**options` whose content is known."""
        for keyword in self.call.keywords:
            value = evaluate(keyword.value, self.scope) if keyword.arg is None else None
            if isinstance(value, dict) and name in value:
                return value[name]
        return UNKNOWN

    def node(self, name: str, place: int | None = None) -> ast.expr | None:
        for keyword in self.call.keywords:
            if keyword.arg == name:
                return keyword.value
        if place is None or not 0 <= place < len(self.call.args):
            return None
        argument = self.call.args[place]
        return None if isinstance(argument, ast.Starred) else argument

    def text(self, name: str, place: int | None = None) -> str | None:
        value = self.get(name, place)
        return value if isinstance(value, str) else None

    def table(self, name: str, place: int, *, schema: str = "schema") -> TableName | None:
        """The table a call works on: the batch's, or the argument's with its schema."""
        if self.batch is not None:
            table, in_schema = self.batch.table, self.batch.schema
        else:
            table, in_schema = self.get(name, place), self.get(schema)
        if not isinstance(table, str):
            return None
        return TableName(table, in_schema if isinstance(in_schema, str) else None)

    @property
    def shift(self) -> int:
        """1 when the table is the first argument, 0 within a batch."""
        return 0 if self.batch is not None else 1

    @property
    def position(self) -> SourcePosition:
        return SourcePosition(self.path, self.call.lineno)


Reader = Callable[[Arguments], Operation | NotUnderstood]


def read_call(name: str, arguments: Arguments) -> ReadOperation | NotUnderstood | None:
    """The operation that `op.<name>(...)` asks for; None when it changes nothing (get_bind, get_context, f …)."""
    if name in SILENT:
        return None
    reader = READERS.get(name)
    if reader is None:
        result: Operation | NotUnderstood = _operation(OperationKind.OTHER, arguments)
    else:
        result = reader(arguments)
    if isinstance(result, NotUnderstood):
        return result
    column = read_column(_column_code(arguments)) if result.kind is OperationKind.ADD_COLUMN else None
    return ReadOperation(result, arguments.call, column)


def _operation(  # noqa: PLR0913 - the fields of Operation that a call may fill
    kind: OperationKind,
    arguments: Arguments,
    *,
    table: TableName | None = None,
    column: str | None = None,
    new_column: str | None = None,
    new_table: TableName | None = None,
    object_name: str | None = None,
    sql: str | None = None,
    nullable: bool | None = None,
    server_default: str | None = None,
    changes_values: bool = False,
) -> Operation:
    return Operation(
        kind=kind,
        revision=arguments.revision,
        position=arguments.position,
        table=table,
        column=column,
        new_column=new_column,
        new_table=new_table,
        object_name=object_name,
        sql=sql,
        nullable=nullable,
        server_default=server_default,
        changes_values=changes_values,
    )


def _unclear(arguments: Arguments, what: str) -> NotUnderstood:
    name = call_name(arguments.call)
    return NotUnderstood(arguments.position, f"{name}: {what} is known only when the script runs")


def _column_code(arguments: Arguments) -> object:
    return arguments.get("column", arguments.shift)


def _create_table(arguments: Arguments) -> Operation | NotUnderstood:
    table = arguments.table("table_name", 0)
    return (
        _unclear(arguments, "the table")
        if table is None
        else _operation(OperationKind.CREATE_TABLE, arguments, table=table)
    )


def _drop_table(arguments: Arguments) -> Operation | NotUnderstood:
    table = arguments.table("table_name", 0)
    return (
        _unclear(arguments, "the table")
        if table is None
        else _operation(OperationKind.DROP_TABLE, arguments, table=table)
    )


def _rename_table(arguments: Arguments) -> Operation | NotUnderstood:
    old, new = arguments.table("old_table_name", 0), arguments.text("new_table_name", 1)
    if old is None or new is None:
        return _unclear(arguments, "the table")
    return _operation(OperationKind.RENAME_TABLE, arguments, table=old, new_table=TableName(new, old.schema))


def _add_column(arguments: Arguments) -> Operation | NotUnderstood:
    table, column = arguments.table("table_name", 0), read_column(_column_code(arguments))
    if table is None or column is None or column.name is None:
        return _unclear(arguments, "the table" if table is None else "the column")
    return _operation(
        OperationKind.ADD_COLUMN,
        arguments,
        table=table,
        column=column.name,
        nullable=column.nullable,
        server_default=column.server_default,
    )


def _drop_column(arguments: Arguments) -> Operation | NotUnderstood:
    table, column = arguments.table("table_name", 0), arguments.text("column_name", arguments.shift)
    if table is None or column is None:
        return _unclear(arguments, "the table" if table is None else "the column")
    return _operation(OperationKind.DROP_COLUMN, arguments, table=table, column=column)


def _alter_column(arguments: Arguments) -> Operation | NotUnderstood:
    table, column = arguments.table("table_name", 0), arguments.text("column_name", arguments.shift)
    if table is None or column is None:
        return _unclear(arguments, "the table" if table is None else "the column")
    new_name = arguments.text("new_column_name") or arguments.text("name")
    nullable, default = arguments.get("nullable"), arguments.node("server_default")
    is_type_changed = arguments.node("type_") is not None and arguments.get("type_") is not None
    return _operation(
        OperationKind.ALTER_COLUMN,
        arguments,
        table=table,
        column=column,
        new_column=new_name if new_name != column else None,
        nullable=nullable if isinstance(nullable, bool) else None,
        server_default=None if default is None else default_text(default, arguments.scope),
        changes_values=is_type_changed,
    )


def _create_object(kind: OperationKind, table: str, schema: str = "schema") -> Reader:
    def read(arguments: Arguments) -> Operation | NotUnderstood:
        name = arguments.text("index_name", 0) or arguments.text("constraint_name", 0)
        where = arguments.table(table, 1, schema=schema)
        if where is None:
            return _unclear(arguments, "the table")
        return _operation(kind, arguments, table=where, object_name=name)

    return read


def _drop_index(arguments: Arguments) -> Operation | NotUnderstood:
    name = arguments.text("index_name", 0)
    if name is None:
        return _unclear(arguments, "the index")
    return _operation(OperationKind.DROP_INDEX, arguments, table=arguments.table("table_name", 1), object_name=name)


def _bulk_insert(arguments: Arguments) -> Operation | NotUnderstood:
    code = arguments.get("table", 0)
    if isinstance(code, Code) and isinstance(code.node, ast.Call) and code.node.args:
        inner = Arguments(code.node, code.scope, None, arguments.revision, arguments.path)
        table = inner.table("name", 0)
        if table is not None:
            return _operation(OperationKind.BULK_INSERT, arguments, table=table)
    return _unclear(arguments, "the table")


def read_execute(arguments: Arguments) -> Operation | NotUnderstood:
    """`op.execute(…)`, `connection.execute(…)`: the SQL text, when it is a text."""
    sql = arguments.text("sqltext", 0) or arguments.text("statement", 0)
    return _unclear(arguments, "the SQL") if sql is None else _operation(OperationKind.EXECUTE, arguments, sql=sql)


SILENT = frozenset({"get_bind", "get_context", "f", "inline_literal", "batch_alter_table", "invoke"})
READERS: Mapping[str, Reader] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "create_index": _create_object(OperationKind.CREATE_INDEX, "table_name"),
    "drop_index": _drop_index,
    "create_unique_constraint": _create_object(OperationKind.CREATE_CONSTRAINT, "table_name"),
    "create_check_constraint": _create_object(OperationKind.CREATE_CONSTRAINT, "table_name"),
    "create_primary_key": _create_object(OperationKind.CREATE_CONSTRAINT, "table_name"),
    "create_exclude_constraint": _create_object(OperationKind.CREATE_CONSTRAINT, "table_name"),
    "create_foreign_key": _create_object(OperationKind.CREATE_CONSTRAINT, "source_table", "source_schema"),
    "drop_constraint": _create_object(OperationKind.DROP_CONSTRAINT, "table_name"),
    "bulk_insert": _bulk_insert,
    "execute": read_execute,
}
