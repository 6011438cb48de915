"""What the scripts of a history make of enum columns on the engine that is not at hand: types on PostgreSQL, and the
columns that have them; CHECKs on SQLite.

Whoever writes a script on SQLite, which has no types, learns from here what the PostgreSQL databases hold, and whoever
writes it on PostgreSQL which columns have a CHECK on SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from handrail.enums.states import ColumnName
from handrail.facts import TableName
from handrail.migrations.changes import (
    AddColumn,
    AddConstraint,
    AddEnumValue,
    AlterColumn,
    Change,
    ConstraintText,
    CreateEnum,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropObject,
    DropTable,
    RenameEnumValue,
    RenameObject,
    RenameTable,
)
from handrail.migrations.check_text import named_values
from handrail.migrations.columns import ColumnText
from handrail.migrations.types import TypeText

Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class KnownCheck:
    """A CHECK that names the values of a column."""

    name: str
    labels: tuple[str, ...]


@dataclass(slots=True)
class CheckHistory:
    """The CHECKs of SQLite's columns that name their values."""

    columns: dict[ColumnName, KnownCheck] = field(default_factory=dict)

    def follow(self, change: Change) -> None:
        """Take in one more change, which runs on SQLite."""
        match change:
            case CreateTable(table=table, columns=columns, constraints=constraints):
                for column in columns:
                    self._bound(table, column)
                for constraint in constraints:
                    self._has(table, constraint)
            case AddColumn(table=table, column=column):
                self._bound(table, column)
            case AddConstraint(table=table, constraint=constraint):
                self._has(table, constraint)
            case DropConstraint(table=table, name=name):
                self._keep(lambda one: (one.table, self.columns[one].name) != (table, name))
            case _:
                self._follow_table(change)

    def _follow_table(self, change: Change) -> None:
        match change:
            case DropColumn(table=table, column=name):
                self._keep(lambda one: one != ColumnName(table, name))
            case DropTable(table=table):
                self._keep(lambda one: one.table != table)
            case RenameTable(table=table, new=new):
                self.columns = _moved(self.columns, table, new)

    def _keep(self, is_kept: Callable[[ColumnName], bool]) -> None:
        self.columns = {one: check for one, check in self.columns.items() if is_kept(one)}

    def _has(self, table: TableName, constraint: ConstraintText) -> None:
        found = named_values(constraint.condition) if constraint.condition else None
        if found is not None:
            self.columns[ColumnName(table, found[0])] = KnownCheck(constraint.name or "", found[1])

    def _bound(self, table: TableName, column: ColumnText) -> None:
        """The CHECK that comes with a type (create_constraint=True), under the type's name."""
        type_ = None if column.sql_type is None else column.sql_type.on("sqlite")
        if type_ is not None and type_.creates_check:
            self.columns[ColumnName(table, column.name or "")] = KnownCheck(type_.enum_name, type_.labels)


@dataclass(slots=True)
class TypeHistory:
    """`types`: labels by the type's name, in no certain order; `columns`: the name of the type that a column has;
    `checks` are SQLite's."""

    types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    columns: dict[ColumnName, str] = field(default_factory=dict)
    checks: CheckHistory = field(default_factory=CheckHistory)

    def users(self, type_: str) -> tuple[ColumnName, ...]:
        """The columns of a type."""
        return tuple(column for column, name in self.columns.items() if name == type_)

    def follow(self, change: Change) -> None:
        """Take in one more change, which runs on PostgreSQL."""
        match change:
            case CreateEnum(name=name, labels=labels):
                self.types[_plain(name)] = labels
            case AddEnumValue(name=name, label=label):
                self.types[_plain(name)] = (*self.types.get(_plain(name), ()), label)
            case RenameEnumValue(name=name, label=old, new=new):
                found = self.types.get(_plain(name), ())
                self.types[_plain(name)] = tuple(new if label == old else label for label in found)
            case RenameObject(kind="type", name=name, new=new):
                self._rename(_plain(name), _plain(new))
            case DropObject(kind="type", name=name):
                self.types.pop(_plain(name), None)
            case _:
                self._follow_table(change)

    def _rename(self, name: str, new: str) -> None:
        self.types[new] = self.types.pop(name, ())
        self.columns.update({column: new for column, type_ in self.columns.items() if type_ == name})

    def _follow_table(self, change: Change) -> None:
        match change:
            case CreateTable(table=table, columns=columns):
                for column in columns:
                    self._has(table, column.name or "", column.sql_type)
            case AddColumn(table=table, column=column):
                self._has(table, column.name or "", column.sql_type)
            case AlterColumn(table=table, column=name, type=type_) if type_ is not None:
                self._has(table, name, type_)
            case DropColumn(table=table, column=name):
                self.columns.pop(ColumnName(table, name), None)
            case DropTable(table=table):
                self.columns = {column: name for column, name in self.columns.items() if column.table != table}
            case RenameTable(table=table, new=new):
                self.columns = _moved(self.columns, table, new)

    def _named(self, word: str) -> str:
        """The type that SQL calls so; quotes are gone from what was read, and with them capital letters."""
        return next((name for name in self.types if name.casefold() == word.casefold()), "")

    def _has(self, table: TableName, column: str, type_: TypeText | None) -> None:
        found = None if type_ is None else type_.on("postgresql")
        here = ColumnName(table, column)
        if found is not None and found.name == "enum" and found.is_native and found.enum_name:
            self.columns[here] = found.enum_name
            self.types.setdefault(found.enum_name, found.labels)
        elif found is not None and (name := self._named(found.name.removesuffix("[]"))):
            self.columns[here] = name
        else:
            self.columns.pop(here, None)


def read_history(changes: Iterable[Change]) -> TypeHistory:
    """What a history has made, from all its changes in the order in which they run."""
    found = TypeHistory()
    for change in changes:
        if change.place.dialects.allows("postgresql"):
            found.follow(change)
        if change.place.dialects.allows("sqlite"):
            found.checks.follow(change)
    return found


def _moved(found: dict[ColumnName, Held], table: TableName, new: TableName) -> dict[ColumnName, Held]:
    """The same by column, after the rename of a table."""
    return {ColumnName(new, one.name) if one.table == table else one: held for one, held in found.items()}


def _plain(name: str) -> str:
    """The name without a schema and quotes."""
    return name.rpartition(".")[2].strip('"')
