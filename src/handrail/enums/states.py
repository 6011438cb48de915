"""Enum columns as values: as models declare them, and as a database holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from handrail.facts import TableName


class Strategy(StrEnum):
    """How a column holds an enum: as text that nobody checks, as a type of PostgreSQL's, or as text under a CHECK."""

    VARCHAR = "varchar"
    NATIVE = "native"
    CHECK = "check"

    def on(self, engine: str) -> Strategy:
        """What this becomes on an engine: SQLite has no enum types, and takes a CHECK in their place."""
        return Strategy.CHECK if self is Strategy.NATIVE and engine == "sqlite" else self


@dataclass(frozen=True, slots=True, order=True)
class ColumnName:
    """A column of a table."""

    table: TableName
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enum class: its name, the text that a database stores for it, and what people call it. `value` is
    Python's, where that is another text than the stored one."""

    name: str
    text: str
    label: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class ModelEnum:
    """An enum column as the models declare it.

    `enum` is the class ("app.enums.Status"; "" for a type that has labels only), `members` are in the order of the
    class. `type_name` names the native type. `default` is the text of the server default, None when there is none;
    `default_sql` is one that is no plain text. `python_default` is the text that the model itself would store.
    `is_string`: the column's type is a plain string, only the model's annotation is an enum: it reads back `str`.
    `is_bound`: the type makes its own CHECK (`create_constraint=True`).
    """

    column: ColumnName
    enum: str
    members: tuple[Member, ...]
    strategy: Strategy
    type_name: str = ""
    type_schema: str | None = None
    length: int | None = None
    nullable: bool = True
    default: str | None = None
    default_sql: str | None = None
    python_default: str | None = None
    is_array: bool = False
    is_string: bool = False
    is_bound: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        """The texts that may be stored, in the order of the members."""
        return tuple(member.text for member in self.members)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    @property
    def class_name(self) -> str:
        """The class without its module; "" for a type that has labels only."""
        return self.enum.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class StoredEnum:
    """A column as the database has it.

    `labels` are those of the native type or of the CHECK, () for plain text. `check_name` is None when the CHECK has no
    name, "" when there is none; `is_checked` is False while it is NOT VALID. `length` is that of a VARCHAR. `default`
    is the text of a default that is a plain literal, `default_sql` the SQL of any default.
    """

    column: ColumnName
    strategy: Strategy
    labels: tuple[str, ...] = ()
    type_name: str = ""
    type_schema: str | None = None
    check_name: str | None = ""
    is_checked: bool = True
    length: int | None = None
    nullable: bool = True
    default: str | None = None
    default_sql: str | None = None
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What else a change of a column or of its type touches, and what its rows hold.

    `users` are all columns of the native type, the column itself among them. `dependents` are things that stand in the
    way of another type ("view attendance", "index ix_open"), in words. `counts` are rows by stored text, None where
    they were not counted.
    """

    users: tuple[ColumnName, ...] = ()
    dependents: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class EnumReading:
    """All enum columns of the models and of the database, side by side.

    `stored` holds a column for each of `models` that the database has. `types` are the enum types of the database with
    their labels, by name (with the schema unless it is the default one), `users` the columns of each that has some;
    `usages` is by column.
    """

    engine: str
    models: tuple[ModelEnum, ...]
    stored: Mapping[ColumnName, StoredEnum] = field(default_factory=dict)
    usages: Mapping[ColumnName, Usage] = field(default_factory=dict)
    types: Mapping[TableName, tuple[str, ...]] = field(default_factory=dict)
    users: Mapping[TableName, tuple[ColumnName, ...]] = field(default_factory=dict)
