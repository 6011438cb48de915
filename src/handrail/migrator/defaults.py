"""Gives columns that autogenerate adds as NOT NULL the default that their model has, as a server_default.

Alembic writes only what the database knows, so a model's own default never reaches the rows that are there: the script
fails on every table that has some. Only plain values are taken, and the clock; what any other function makes is another
value for each row.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic.operations import ops
from alembic.operations.ops import AddColumnOp, MigrateOperation
from sqlalchemy.sql.functions import current_timestamp, now

from handrail.migrator.stored_texts import EMPTY, stored_text

#: Makes the time of the row. In parentheses, as SQLite takes an expression; there only a batch, which copies the table,
#: can add a column with it.
_CLOCK: Final = "(CURRENT_TIMESTAMP)"
_NOW: Final = tuple(getattr(datetime.datetime, name) for name in ("now", "utcnow"))  # known, never called


def fill(directives: Sequence[Any], *, has_clock: bool = False) -> tuple[str, ...]:
    """Set server defaults in what autogenerate is about to write; "bookings.seats = '0'" for each that was set.
    `has_clock`: where the script runs, an added column may have the clock for a default."""
    told = []
    for directive in directives:
        for upgrade in getattr(directive, "upgrade_ops_list", ()):
            for operation in _added(upgrade.ops):
                column = operation.column
                text = server_default(column, operation.table_name, operation.schema)
                if text is not None:
                    column.server_default = sa.DefaultClause(text)
                    told.append(f"{operation.table_name}.{column.name} = {text!r}")
                elif has_clock and _wants_default(column) and _is_clock(column):
                    column.server_default = sa.DefaultClause(sa.text(_CLOCK))
                    told.append(f"{operation.table_name}.{column.name} = {_CLOCK}")
    return tuple(told)


def takes_clock(dialect: str, opts: object) -> bool:
    """Whether a column with the clock for a default can be added: on SQLite only in batch mode."""
    return dialect != "sqlite" or (isinstance(opts, dict) and bool(opts.get("render_as_batch")))


def _added(found: Sequence[MigrateOperation]) -> Iterator[AddColumnOp]:
    for operation in found:
        if isinstance(operation, ops.ModifyTableOps):
            yield from _added(operation.ops)
        elif isinstance(operation, AddColumnOp):
            yield operation


def _wants_default(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.server_default is None and column.computed is None


def server_default(column: sa.Column[Any], table: str, schema: str | None = None) -> str | None:
    """The text of the model's default; None when the column needs none, or its model has no plain value."""
    return default_text(column, table, schema) if _wants_default(column) else None


def default_text(column: sa.Column[Any], table: str = "", schema: str | None = None) -> str | None:
    """The text that a database holds for the default of the model itself; None when that is no plain value. The table
    is the column's own unless it is told."""
    default = column.default
    if default is None:
        own = column.table
        value = _field_default(table or own.name, schema if table else own.schema, column.name)
    elif default.is_scalar:
        value = getattr(default, "arg", None)
    else:
        value = EMPTY.get(_made_by(default))
    return stored_text(column.type, value)


def _made_by(default: Any) -> object:
    """The function that makes the value, without what SQLAlchemy puts around it."""
    arg = getattr(default, "arg", None)
    return getattr(arg, "__wrapped__", arg) if default.is_callable else None


def _is_clock(column: sa.Column[Any]) -> bool:
    """Whether the model's default is the time at which a row is made, and the column holds one."""
    default, type_ = column.default, column.type
    type_ = type_.impl_instance if isinstance(type_, sa.types.TypeDecorator) else type_
    if default is None or not isinstance(type_, sa.DateTime):
        return False
    is_function = isinstance(getattr(default, "arg", None), now | current_timestamp)
    return is_function or _made_by(default) in _NOW


def sqlmodel_mappers() -> Iterable[Any]:
    """The mappers of SQLModel's classes; none where SQLModel is not loaded. The registry gathers them at each call."""
    registry = getattr(getattr(sys.modules.get("sqlmodel"), "SQLModel", None), "_sa_registry", None)
    return getattr(registry, "mappers", ())


def _field_default(table: str, schema: str | None, column: str) -> object:
    """What a SQLModel's field says, which reaches no column that is given as `sa_column`."""
    for mapper in sqlmodel_mappers():
        mapped = mapper.local_table
        if (mapped.name, mapped.schema) == (table, schema) and column in mapped.c:
            key = mapper.get_property_by_column(mapped.c[column]).key
            field = getattr(mapper.class_, "model_fields", {}).get(key)
            factory = getattr(field, "default_factory", None)
            return getattr(field, "default", None) if factory is None else EMPTY.get(factory)
    return None
