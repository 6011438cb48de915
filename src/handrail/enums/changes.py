"""Changes of enum columns and enum types as values that can be turned around: a downgrade is the change backwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from handrail.enums.states import ColumnName, StoredEnum
from handrail.facts import TableName


@dataclass(frozen=True, slots=True)
class Values:
    """What becomes of stored texts: `renames` are new texts of values that stay (known both ways), `mapping` says which
    value rows get whose own value goes away (which cannot be taken back)."""

    renames: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)

    def reversed(self) -> Values:
        return Values({new: old for old, new in self.renames.items()})

    def texts(self) -> dict[str, str]:
        """The texts that rows have to change, old to new."""
        return {**self.renames, **self.mapping}

    def within(self, before: tuple[str, ...], after: tuple[str, ...]) -> Values:
        """Only what concerns these labels: a rename from one that was there to one that will be, and was not."""
        renames = {
            old: new for old, new in self.renames.items() if old in before and new in after and new not in before
        }
        mapping = {old: new for old, new in self.mapping.items() if old in before and old not in after and new in after}
        return Values(renames, mapping)


@dataclass(frozen=True, slots=True)
class MakeType:
    """An enum type that nobody has made yet. `is_there` turned: the type goes away."""

    type: TableName
    labels: tuple[str, ...]
    is_gone: bool = False

    def reversed(self) -> MakeType:
        return replace(self, is_gone=not self.is_gone)


@dataclass(frozen=True, slots=True)
class RenameType:
    """The same labels under another name: what the rename of a class is to the database."""

    type: TableName
    new: TableName

    def reversed(self) -> RenameType:
        return RenameType(self.new, self.type)


@dataclass(frozen=True, slots=True)
class ChangeLabels:
    """Other labels for a type. `users` are its columns as they are before, `users_after` as they will be. `reorders`:
    an order that differs is put right too, which writes every table anew."""

    type: TableName
    before: tuple[str, ...]
    after: tuple[str, ...]
    users: tuple[StoredEnum, ...] = ()
    users_after: tuple[StoredEnum, ...] = ()
    values: Values = Values()
    reorders: bool = False

    def reversed(self) -> ChangeLabels:
        return ChangeLabels(
            self.type, self.after, self.before, self.users_after, self.users, self.values.reversed(), self.reorders
        )


@dataclass(frozen=True, slots=True)
class ChangeColumn:
    """Another strategy, other values of a CHECK or of plain text, another default: of one column."""

    before: StoredEnum
    after: StoredEnum
    values: Values = Values()

    @property
    def column(self) -> ColumnName:
        return self.before.column

    def reversed(self) -> ChangeColumn:
        return ChangeColumn(self.after, self.before, self.values.reversed())


@dataclass(frozen=True, slots=True)
class TableCheck:
    """SQLite's CHECK of a column that has a type on PostgreSQL, when its whole table comes. `is_gone`: when the table
    goes, and the CHECK with it."""

    column: StoredEnum
    is_gone: bool = False

    def reversed(self) -> TableCheck:
        return replace(self, is_gone=not self.is_gone)


EnumChange = MakeType | RenameType | ChangeLabels | ChangeColumn | TableCheck
