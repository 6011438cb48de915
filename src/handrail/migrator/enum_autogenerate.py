"""Makes Alembic's autogenerate right for enum columns: what it writes of them is replaced by what handrail plans.

Alembic compares neither the labels of a native type nor those of a CHECK, makes a type only with a new table, and gives
a changed column no USING (measured on 1.14 to 1.20; docs/enums.md). Here the list of operations that it found is
amended before it is turned around for the downgrade. Columns in it are the models' own: they are replaced, not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

from handrail.enums.history import TypeHistory, read_history
from handrail.enums.model_lines import converted
from handrail.enums.plan import Coming, EnumPlan, Wishes
from handrail.enums.reconcile import plan_changes, strategy_on
from handrail.enums.states import ColumnName, ModelEnum, Strategy
from handrail.enums.steps import check_name
from handrail.facts import TableName
from handrail.migrations.changes import Change
from handrail.migrations.identity import identify
from handrail.migrations.reading import read_script
from handrail.migrator.enum_models import enum_type, model_enums
from handrail.migrator.enum_operation import EnumOp
from handrail.migrator.enum_reading import read_enums
from handrail.migrator.enum_rendering import (
    MadeElsewhere,
    is_check_of,
    named_check,
    portable_check,
    portable_column,
    text_default,
)

ENGINES = frozenset({"postgresql", "sqlite"})
#: What was amended already: a project may have handrail called twice, by the entry point and by its commands.
_AMENDED: WeakSet[ops.UpgradeOps] = WeakSet()


def amend(context: AutogenContext, upgrade: ops.UpgradeOps, wishes: Wishes, tell: Callable[[str], None]) -> None:
    """Put the enum changes of the models into what autogenerate found. CommandError for what must not be written.

    Does nothing for other engines, and nothing the second time. `tell` is given what was left alone, in words.
    """
    if context.connection is None or context.dialect is None or context.dialect.name not in ENGINES:
        return
    if context.metadata is None or upgrade in _AMENDED:
        return
    _AMENDED.add(upgrade)
    models = model_enums(context.metadata, lambda column: _is_wanted(context, column))
    also = [model.column for model in models]
    if wishes.converts:
        upgrade.ops.clear()
        models = tuple(converted(one, wishes.converts[one.column]) for one in models if one.column in wishes.converts)
    found = _Operations({model.column: model for model in models})
    found.collect(upgrade)
    reading = read_enums(context.connection, models, also=[*also, *found.leaving])
    wishes = replace(wishes, engines=wishes.engines & ENGINES | {context.dialect.name})
    history = _history(context) if len(wishes.engines) > 1 else TypeHistory()
    plan = plan_changes(reading, wishes, found.coming(), history)
    if plan.refused:
        raise CommandError("; ".join(map(str, plan.refused)))
    if plan.unused:
        raise CommandError(f"no enum column holds the one and has a member for the other: {', '.join(plan.unused)}")
    for note in plan.notes:
        tell(note)
    others = history if reading.engine == "sqlite" else TypeHistory()
    _Amending(found.models, wishes.engines, plan, others).amend(upgrade)


def _is_wanted(context: AutogenContext, column: sa.Column[Any]) -> bool:
    """Whether the project lets Alembic compare the column at all (include_object)."""
    table = column.table
    return context.run_object_filters(table, table.name, "table", False, None) and context.run_object_filters(
        column, column.name, "column", False, None
    )


def _history(context: AutogenContext) -> TypeHistory:
    """What the project's scripts so far make of enum columns."""
    scripts = context.migration_context.script
    if scripts is None:
        return TypeHistory()
    changes: list[Change] = []
    for script in reversed(list(scripts.walk_revisions())):
        with open(script.path, encoding="utf-8", errors="replace") as source:  # noqa: PTH123 - Alembic names a text
            reading = read_script(identify(script.path, source.read()))
        changes += reading.upgrade.changes
    return read_history(changes)


@dataclass(slots=True)
class _Operations:
    """What Alembic is about to do, in our words."""

    models: dict[ColumnName, ModelEnum]
    added: list[ModelEnum] = field(default_factory=list)
    created: list[ModelEnum] = field(default_factory=list)
    dropped: list[ColumnName] = field(default_factory=list)
    gone: list[ColumnName] = field(default_factory=list)

    @property
    def leaving(self) -> list[ColumnName]:
        return [*self.dropped, *self.gone]

    def coming(self) -> Coming:
        return Coming(tuple(self.added), tuple(self.created), tuple(self.dropped), tuple(self.gone))

    def collect(self, upgrade: ops.UpgradeOps) -> None:
        for operation in every(upgrade.ops):
            match operation:
                case ops.CreateTableOp():
                    table = TableName(operation.table_name, operation.schema)
                    self.created += [model for column, model in self.models.items() if column.table == table]
                case ops.DropTableOp():
                    columns = operation.to_table().columns
                    table = TableName(operation.table_name, operation.schema)
                    self.gone += [ColumnName(table, column.name) for column in columns]
                case ops.AddColumnOp():
                    name = ColumnName(TableName(operation.table_name, operation.schema), operation.column.name)
                    self.added += [self.models[name]] if name in self.models else []
                case ops.DropColumnOp():
                    table = TableName(operation.table_name, operation.schema)
                    self.dropped.append(ColumnName(table, operation.column_name))


def every(found: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """The operations one by one, those within a table's among them."""
    for operation in found:
        if isinstance(operation, ops.OpContainer):
            yield from every(operation.ops)
        else:
            yield operation


class _Amending:
    """Puts a plan into the operations."""

    def __init__(
        self, models: dict[ColumnName, ModelEnum], engines: frozenset[str], plan: EnumPlan, history: TypeHistory
    ) -> None:
        self.models = models
        self.engines = engines
        self.plan = plan
        self.history = history

    def amend(self, upgrade: ops.UpgradeOps) -> None:
        own = self._amended(upgrade.ops)
        upgrade.ops[:] = [*map(EnumOp, self.plan.first), *own, *map(EnumOp, self.plan.last)]

    def _amended(self, found: Sequence[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
        kept: list[ops.MigrateOperation] = []
        for operation in found:
            if isinstance(operation, ops.OpContainer):
                operation.ops[:] = self._amended(operation.ops)
                kept += [operation] if operation.ops else []
            elif self._stays(operation):
                kept.append(operation)
        return kept

    def _stays(self, operation: ops.MigrateOperation) -> bool:
        """Whether Alembic's operation is still needed; it is made right in place."""
        match operation:
            case ops.CreateTableOp():
                operation.columns = self._parts(operation)
            case ops.AddColumnOp():
                operation.column = self._column(TableName(operation.table_name, operation.schema), operation.column)
            case ops.DropColumnOp() if operation._reverse is not None:
                reverse = operation._reverse
                reverse.column = self._column(TableName(operation.table_name, operation.schema), reverse.column)
            case ops.DropTableOp() if operation._reverse is not None:
                operation._reverse.columns = self._parts(operation._reverse)
            case ops.AlterColumnOp():
                return self._altered(operation)
            case ops.CreateCheckConstraintOp() | ops.DropConstraintOp():
                return not self._is_ours(operation)
        return True

    def _is_ours(self, operation: ops.CreateCheckConstraintOp | ops.DropConstraintOp) -> bool:
        """Whether it is the CHECK of an enum column, which the plan takes care of."""
        if isinstance(operation, ops.DropConstraintOp) and operation.constraint_type != "check":
            return False
        constraint = operation.to_constraint()
        if not isinstance(constraint, sa.CheckConstraint):
            return False
        table = TableName(operation.table_name, operation.schema)
        columns = {*self.models, *self.plan.handled}
        return any(column.table == table and is_check_of(constraint, column.name) for column in columns)

    def _altered(self, operation: ops.AlterColumnOp) -> bool:
        name = ColumnName(TableName(operation.table_name, operation.schema), operation.column_name)
        type_, _ = enum_type(operation.existing_type)
        if type_ is not None:
            operation.existing_type = self._type(name, operation.existing_type)
        if name not in self.models:
            return True
        model = self.models[name]
        is_text = type_ is None and strategy_on(model, "postgresql") is not Strategy.NATIVE
        if operation.modify_type is not None and not model.is_string:
            operation.modify_type = sa.String(length=model.length) if is_text else None
        if name in self.plan.handled:
            operation.modify_server_default = False
        return operation.has_changes()

    # tables and columns

    def _parts(self, operation: ops.CreateTableOp) -> list[Any]:
        table = TableName(operation.table_name, operation.schema)
        parts: list[Any] = []
        for part in operation.columns:
            if isinstance(part, sa.Column):
                parts.append(self._column(table, part, is_new_table=True))
            elif not isinstance(part, sa.CheckConstraint):
                parts.append(part)
            elif not self._is_made_apart(operation, part):
                parts.append(portable_check(part))
        parts += [self._check(model) for model in self._checked(table)]
        return parts

    def _is_made_apart(self, operation: ops.CreateTableOp, check: sa.CheckConstraint) -> bool:
        """Whether the CHECK comes with a type, or belongs to a column that has a type on PostgreSQL."""
        table = TableName(operation.table_name, operation.schema)
        return any(
            is_check_of(check, part.name)
            for part in operation.columns
            if isinstance(part, sa.Column)
            and (enum_type(part.type)[0] is not None or self._native(ColumnName(table, part.name), None) is not None)
        )

    def _checked(self, table: TableName) -> list[ModelEnum]:
        """The columns whose CHECK belongs into CREATE TABLE: on every engine that the script runs on."""
        return [
            model for column, model in self.models.items() if column.table == table and model.strategy is Strategy.CHECK
        ]

    def _check(self, model: ModelEnum) -> sa.CheckConstraint:
        return named_check(model.column.name, model.labels, sa.schema.conv(check_name(model.column)))

    def _column(self, table: TableName, column: sa.Column[Any], *, is_new_table: bool = False) -> sa.Column[Any]:
        """The column with a type that every engine of the script understands, and the default of its model."""
        name = ColumnName(table, column.name)
        if enum_type(column.type)[0] is None and name not in self.history.columns:
            return portable_column(column)
        model = self.models.get(name)
        default = portable_column(column).server_default
        if model is not None and not is_new_table and not column.nullable and default is None:
            default = None if model.python_default is None else text_default(model.python_default)
        elif model is not None and model.default is not None:
            default = text_default(model.default)
        return sa.Column(
            column.name,
            self._type(name, column.type),
            *(key._copy() for key in column.foreign_keys),
            primary_key=column.primary_key,
            nullable=column.nullable,
            server_default=getattr(default, "arg", None),
            index=column.index,
            unique=column.unique,
            comment=column.comment,
        )

    def _type(self, column: ColumnName, type_: Any) -> Any:
        """A native type that is made elsewhere on PostgreSQL, plain text everywhere else."""
        found, is_array = enum_type(type_)
        model = self.models.get(column)
        length = model.length if model is not None else getattr(found or type_, "length", None)
        text = sa.String(length=length)
        native = self._native(column, found)
        if native is None:
            return text
        native = postgresql.ARRAY(native) if is_array else native
        return native if self.engines == {"postgresql"} or is_array else text.with_variant(native, "postgresql")

    def _native(self, column: ColumnName, found: sa.Enum | None) -> Any:
        if found is not None and found.native_enum and "postgresql" in self.engines:
            schema = self.models[column].type_schema if column in self.models else found.schema
            return MadeElsewhere(*found.enums, name=str(found.name), schema=schema, create_type=False)
        name = self.history.columns.get(column) if "postgresql" in self.engines else None
        if name is None or (found is not None and not found.native_enum):
            return None
        return MadeElsewhere(*self.history.types.get(name, ()), name=name, create_type=False)
