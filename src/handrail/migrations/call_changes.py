"""Reads one `op.…(…)` or `batch_op.…(…)` call as changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from handrail.facts import TableName
from handrail.migrations import changes
from handrail.migrations.calls import SILENT, Arguments
from handrail.migrations.changes import Change, ConstraintKind, ConstraintText, NotAnalysable, Place
from handrail.migrations.columns import ColumnText, default_text, read_column
from handrail.migrations.core_writes import read_core
from handrail.migrations.sql_changes import read_sql
from handrail.migrations.types import read_type
from handrail.migrations.values import UNKNOWN, Code, call_name, evaluate

#: Calls that change neither rows nor what a column may hold.
_QUIET = SILENT | {"create_table_comment", "drop_table_comment", "get_context", "implementation_for", "run_async"}
_KINDS: Mapping[str, ConstraintKind] = {
    "unique": ConstraintKind.UNIQUE,
    "check": ConstraintKind.CHECK,
    "foreignkey": ConstraintKind.FOREIGN_KEY,
    "primary": ConstraintKind.PRIMARY_KEY,
}
_TABLE_CONSTRAINTS: Mapping[str, ConstraintKind] = {
    "PrimaryKeyConstraint": ConstraintKind.PRIMARY_KEY,
    "UniqueConstraint": ConstraintKind.UNIQUE,
    "CheckConstraint": ConstraintKind.CHECK,
    "ForeignKeyConstraint": ConstraintKind.FOREIGN_KEY,
    "ExcludeConstraint": ConstraintKind.EXCLUDE,
}


def read_call_changes(name: str, arguments: Arguments, place: Place) -> tuple[Change, ...]:
    """What `op.<name>(…)` changes; NotAnalysable when only running the script could tell."""
    if name in _QUIET:
        return ()
    reader = _READERS.get(name)
    if reader is None:
        return (NotAnalysable(place, f"op.{name} is not one of Alembic's own operations"),)
    return reader(arguments, place)


def table_of(arguments: Arguments, keyword: str, at: int, *, schema: str = "schema") -> TableName | None:
    """The table; one that is named only elsewhere (`Model.__tablename__`) by the expression's text: the same text means
    the same table within a script."""
    known = arguments.table(keyword, at, schema=schema)
    if known is not None:
        return known
    value = arguments.batch.table if arguments.batch is not None else arguments.get(keyword, at)
    if isinstance(value, Code):
        return TableName(ast.unparse(value.node))
    node = arguments.node(keyword, at) if arguments.batch is None else None
    return TableName(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute | ast.JoinedStr) else None


def _unclear(place: Place, arguments: Arguments, what: str) -> tuple[Change, ...]:
    return (NotAnalysable(place, f"{call_name(arguments.call)}: {what} is known only when the script runs"),)


def _texts(value: object) -> tuple[str, ...]:
    """A list of column names; what is no name (an expression) as its source text."""
    if value is UNKNOWN or value is None:
        return ()
    return tuple(_text(item) or "?" for item in (value if isinstance(value, list) else [value]))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return ast.unparse(value.node) if isinstance(value, Code) else ""


def _is(arguments: Arguments, keyword: str) -> bool:
    return arguments.get(keyword) is True


def _create_table(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 0)
    if table is None:
        return _unclear(place, arguments, "the table")
    columns: list[ColumnText] = []
    constraints: list[ConstraintText] = []
    is_whole = True
    for node in arguments.call.args[1:]:
        inner = node.value if isinstance(node, ast.Starred) else node
        value = evaluate(inner, arguments.scope)
        for item in value if isinstance(value, list) else [value]:
            column, constraint = read_column(item), _table_constraint(item)
            if column is not None:
                columns.append(column)
            elif constraint is not None:
                constraints.append(constraint)
            else:
                is_whole = False
    return (
        changes.CreateTable(
            place, table, tuple(columns), tuple(constraints), _is(arguments, "if_not_exists"), is_whole=is_whole
        ),
    )


def _table_constraint(item: object) -> ConstraintText | None:
    if not isinstance(item, Code) or not isinstance(item.node, ast.Call):
        return None
    kind = _TABLE_CONSTRAINTS.get(call_name(item.node))
    if kind is None:
        return None
    inner = Arguments(item.node, item.scope, None, "", "")
    positional = [evaluate(argument, item.scope) for argument in item.node.args]
    name = inner.text("name")
    if kind is ConstraintKind.CHECK:
        return ConstraintText(kind, name, condition=_text(positional[0]) if positional else "")
    if kind is ConstraintKind.FOREIGN_KEY:
        target = _texts(positional[1])[:1] if len(positional) > 1 else ()
        parts = target[0].split(".") if target else []
        table = TableName(parts[-2], parts[-3] if len(parts) > 2 else None) if len(parts) > 1 else None
        return ConstraintText(
            kind,
            name,
            _texts(positional[0]) if positional else (),
            table,
            on_delete=_text(inner.get("ondelete")).upper(),
        )
    return ConstraintText(kind, name, tuple(text for value in positional for text in _texts(value)))


def _drop_table(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 0)
    if table is None:
        return _unclear(place, arguments, "the table")
    return (changes.DropTable(place, table, if_exists=_is(arguments, "if_exists")),)


def _rename_table(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table, new = table_of(arguments, "old_table_name", 0), arguments.text("new_table_name", 1)
    if table is None or new is None:
        return _unclear(place, arguments, "the table")
    return (changes.RenameTable(place, table, TableName(new, table.schema)),)


def _add_column(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 0)
    column = read_column(arguments.get("column", arguments.shift))
    if table is None or column is None or column.name is None:
        return _unclear(place, arguments, "the table" if table is None else "the column")
    return (changes.AddColumn(place, table, column, _is(arguments, "if_not_exists")),)


def _drop_column(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table, column = table_of(arguments, "table_name", 0), arguments.text("column_name", arguments.shift)
    if table is None or column is None:
        return _unclear(place, arguments, "the table" if table is None else "the column")
    return (changes.DropColumn(place, table, column),)


def _alter_column(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table, column = table_of(arguments, "table_name", 0), arguments.text("column_name", arguments.shift)
    if table is None or column is None:
        return _unclear(place, arguments, "the table" if table is None else "the column")
    new_name = arguments.text("new_column_name") or arguments.text("name")
    nullable, was = arguments.get("nullable"), arguments.get("existing_nullable")
    default = arguments.node("server_default")
    default_sql = None if default is None else default_text(default, arguments.scope) or ""
    if default is not None and evaluate(default, arguments.scope) is False:  # False: leave it as it is
        default_sql = None
    new_type = arguments.node("type_")
    return (
        changes.AlterColumn(
            place,
            table,
            column,
            new_name=new_name if new_name != column else None,
            type=read_type(new_type, arguments.scope),
            nullable=nullable if isinstance(nullable, bool) else None,
            default=default_sql,
            existing_type=read_type(arguments.node("existing_type"), arguments.scope),
            existing_nullable=was if isinstance(was, bool) else None,
            using=arguments.text("postgresql_using"),
        ),
    )


def _create_index(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    name, table = arguments.text("index_name", 0), table_of(arguments, "table_name", 1)
    if table is None:
        return _unclear(place, arguments, "the table")
    columns = arguments.get("columns", 1 + arguments.shift)
    return (
        changes.CreateIndex(
            place,
            table,
            name,
            _texts(columns),
            _is(arguments, "unique"),
            _is(arguments, "postgresql_concurrently"),
            _is(arguments, "if_not_exists"),
            _text(arguments.get("postgresql_where")) or _text(arguments.get("sqlite_where")),
        ),
    )


def _drop_index(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    name, table = arguments.text("index_name", 0), table_of(arguments, "table_name", 1)
    is_concurrent, if_exists = _is(arguments, "postgresql_concurrently"), _is(arguments, "if_exists")
    return (changes.DropIndex(place, name, table, is_concurrent, if_exists),)


def _unique(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    return _constraint(arguments, place, ConstraintKind.UNIQUE)


def _primary_key(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    return _constraint(arguments, place, ConstraintKind.PRIMARY_KEY)


def _constraint(arguments: Arguments, place: Place, kind: ConstraintKind) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 1)
    if table is None:
        return _unclear(place, arguments, "the table")
    columns = _texts(arguments.get("columns", 1 + arguments.shift))
    return (changes.AddConstraint(place, table, ConstraintText(kind, arguments.text("constraint_name", 0), columns)),)


def _check(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 1)
    if table is None:
        return _unclear(place, arguments, "the table")
    constraint = ConstraintText(
        ConstraintKind.CHECK,
        arguments.text("constraint_name", 0),
        condition=_text(arguments.get("condition", 1 + arguments.shift)),
        is_checked=not _is(arguments, "postgresql_not_valid"),
    )
    return (changes.AddConstraint(place, table, constraint),)


def _exclude(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 1)
    if table is None:
        return _unclear(place, arguments, "the table")
    constraint = ConstraintText(ConstraintKind.EXCLUDE, arguments.text("constraint_name", 0))
    return (changes.AddConstraint(place, table, constraint),)


def _foreign_key(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "source_table", 1, schema="source_schema")
    if table is None:
        return _unclear(place, arguments, "the table")
    shift = arguments.shift
    target, schema = arguments.get("referent_table", 1 + shift), arguments.text("referent_schema")
    references = TableName(target, schema) if isinstance(target, str) else None
    if isinstance(target, Code):
        references = TableName(ast.unparse(target.node), schema)
    constraint = ConstraintText(
        ConstraintKind.FOREIGN_KEY,
        arguments.text("constraint_name", 0),
        _texts(arguments.get("local_cols", 2 + shift)),
        references,
        _texts(arguments.get("remote_cols", 3 + shift)),
        _text(arguments.get("ondelete")).upper(),
        is_checked=not _is(arguments, "postgresql_not_valid"),
    )
    return (changes.AddConstraint(place, table, constraint),)


def _drop_constraint(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    table = table_of(arguments, "table_name", 1)
    if table is None:
        return _unclear(place, arguments, "the table")
    kind = _KINDS.get(arguments.text("type_", 1 + arguments.shift) or "", ConstraintKind.UNKNOWN)
    return (changes.DropConstraint(place, table, arguments.text("constraint_name", 0), kind),)


def _bulk_insert(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    code = arguments.get("table", 0)
    table = None
    if isinstance(code, Code) and isinstance(code.node, ast.Call) and code.node.args:
        table = table_of(Arguments(code.node, code.scope, None, "", ""), "name", 0)
    return (changes.WriteRows(place, changes.Verb.INSERT, table, is_filtered=True),)


def read_execute_changes(arguments: Arguments, place: Place) -> tuple[Change, ...]:
    """`op.execute(…)`, `connection.execute(…)`: SQL text, or a statement of SQLAlchemy Core."""
    node = arguments.node("sqltext", 0) or arguments.node("statement", 0)
    value = UNKNOWN if node is None else evaluate(node, arguments.scope)
    if isinstance(value, str):
        return read_sql(value, place)
    found = read_core(node, arguments.scope, place) if node is not None else None
    return _unclear(place, arguments, "the SQL") if found is None else found


Reader = Callable[[Arguments, Place], tuple[Change, ...]]
_READERS: Mapping[str, Reader] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_unique_constraint": _unique,
    "create_check_constraint": _check,
    "create_primary_key": _primary_key,
    "create_exclude_constraint": _exclude,
    "create_foreign_key": _foreign_key,
    "drop_constraint": _drop_constraint,
    "bulk_insert": _bulk_insert,
    "execute": read_execute_changes,
}
