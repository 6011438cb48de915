"""Gives columns that autogenerate adds as NOT NULL the default that their model has, as a server_default.

Alembic writes only what the database knows, so a model's own default never reaches the rows that are there: the script
fails on every table that has some. Only plain values are taken; what a function makes is another value for each row.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from alembic.operations.ops import AddColumnOp, MigrateOperation
from sqlalchemy.engine.default import DefaultDialect


def fill(directives: Sequence[Any]) -> tuple[str, ...]:
    """Set server defaults in what autogenerate is about to write; "bookings.seats = '0'" for each that was set."""
    told = []
    for directive in directives:
        for upgrade in getattr(directive, "upgrade_ops_list", ()):
            for operation in _added(upgrade.ops):
                column = operation.column
                text = server_default(column, operation.table_name, operation.schema)
                if text is not None:
                    column.server_default = sa.DefaultClause(text)
                    told.append(f"{operation.table_name}.{column.name} = {text!r}")
    return tuple(told)


def _added(found: Sequence[MigrateOperation]) -> Iterator[AddColumnOp]:
    for operation in found:
        if isinstance(operation, ops.ModifyTableOps):
            yield from _added(operation.ops)
        elif isinstance(operation, AddColumnOp):
            yield operation


def server_default(column: sa.Column[Any], table: str, schema: str | None = None) -> str | None:
    """The text of the model's default; None when the column needs none, or its model has no plain value."""
    if column.nullable or column.server_default is not None or column.computed is not None:
        return None
    return default_text(column, table, schema)


def default_text(column: sa.Column[Any], table: str = "", schema: str | None = None) -> str | None:
    """The text that a database holds for the default of the model itself; None when that is no plain value. The table
    is the column's own unless it is told."""
    default = column.default
    if default is None:
        own = column.table
        return _text(column, _field_default(table or own.name, schema if table else own.schema, column.name))
    return _text(column, getattr(default, "arg", None)) if default.is_scalar else None


def _field_default(table: str, schema: str | None, column: str) -> object:
    """What a SQLModel's field says, which reaches no column that is given as `sa_column`."""
    sqlmodel = sys.modules.get("sqlmodel")
    registry = getattr(getattr(sqlmodel, "SQLModel", None), "_sa_registry", None)
    for mapper in getattr(registry, "mappers", ()):
        mapped = mapper.local_table
        if (mapped.name, mapped.schema) == (table, schema) and column in mapped.c:
            key = mapper.get_property_by_column(mapped.c[column]).key
            return getattr(getattr(mapper.class_, "model_fields", {}).get(key), "default", None)
    return None


def _text(column: sa.Column[Any], value: object) -> str | None:
    if isinstance(column.type, sa.Enum):
        process = column.type.bind_processor(DefaultDialect())  # type: ignore[no-untyped-call]
        try:
            text = None if value is None or process is None else str(process(value))
        except (LookupError, TypeError, ValueError):
            return None
        return text if text in column.type.enums else None
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, str | int | float) else None
