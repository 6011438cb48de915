"""The steps of a change on one engine, as data: a migration script is written from them, and a plan shown."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.enums.states import ColumnName
from handrail.facts import TableName
from handrail.migrations.sql_names import quoted


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement. `is_alone`: in a transaction of its own, committed before the next one begins."""

    sql: str
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class RefuseRows:
    """Stop when rows hold other texts than the `allowed` ones, and say how many. `is_array`: of a column of lists."""

    column: ColumnName
    allowed: tuple[str, ...]
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class BatchColumn:
    """A change of a SQLite table by Alembic's batch mode, which copies it: a CHECK dropped by name, one made, another
    default. `default` None: as it is; "" with `drops_default`."""

    column: ColumnName
    drops: str = ""
    makes: str = ""
    allowed: tuple[str, ...] = ()
    default: str | None = None
    drops_default: bool = False
    length: int | None = None


@dataclass(frozen=True, slots=True)
class KeepReferences:
    """Before a SQLite table is copied: the copy's DROP TABLE would delete the rows that refer to it, or unlink them,
    where foreign keys are enforced (measured: 2 of 2 rows gone, no error). So that is switched off, and where it cannot
    be any more (within a transaction SQLite ignores the switch) nothing is done."""

    table: TableName


Step = Statement | RefuseRows | BatchColumn | KeepReferences


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: tuple[str, ...]) -> str:
    return ", ".join(map(literal, texts))


def condition(column: str, allowed: tuple[str, ...]) -> str:
    """The CHECK that allows a column these texts."""
    return f"{quoted(column)} IN ({literals(allowed)})"


def shortened(name: str, ending: str = "") -> str:
    """A name with an ending, within PostgreSQL's 63 bytes (NAMEDATALEN)."""
    room = 63 - len(ending.encode())
    return name.encode()[:room].decode(errors="ignore") + ending


def check_name(column: ColumnName) -> str:
    """The name of a CHECK that handrail makes for a column: unique in the schema, as PostgreSQL asks of no one but
    readers of its errors expect. Without quotes, which Alembic does not find again on SQLite."""
    return shortened(f"ck_{column.table.name}_{column.name}".replace('"', ""))


def type_sql(type_: TableName) -> str:
    """The name of a type or table as SQL."""
    return quoted(type_.name) if type_.schema is None else f"{quoted(type_.schema)}.{quoted(type_.name)}"
