"""Operations of a migration script as data: what Alembic was asked to do, by which script, at which line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from handrail.facts import HeldLock, RowWrites, TableName


class OperationKind(StrEnum):
    CREATE_TABLE = "create_table"
    DROP_TABLE = "drop_table"
    RENAME_TABLE = "rename_table"
    ADD_COLUMN = "add_column"
    DROP_COLUMN = "drop_column"
    ALTER_COLUMN = "alter_column"
    CREATE_INDEX = "create_index"
    DROP_INDEX = "drop_index"
    CREATE_CONSTRAINT = "create_constraint"
    DROP_CONSTRAINT = "drop_constraint"
    BULK_INSERT = "bulk_insert"
    EXECUTE = "execute"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """Where in a migration script. `line` counts from 1; 0 when it is not known."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One `op.*` call, resolved.

    Which fields are filled depends on `kind`: `column` for the three column kinds (and `new_column` for a rename by
    ALTER_COLUMN); `new_table` for RENAME_TABLE; `object_name` for indexes and constraints; `sql` for EXECUTE.
    ALTER_COLUMN: `changes_values` is True when the type changes (values may be converted); setting only NOT NULL, a
    default or a comment cannot change values. ADD_COLUMN: `nullable` and `server_default` (SQL text, None = none).
    """

    kind: OperationKind
    revision: str
    position: SourcePosition
    table: TableName | None = None
    column: str | None = None
    new_column: str | None = None
    new_table: TableName | None = None
    object_name: str | None = None
    sql: str | None = None
    nullable: bool | None = None
    server_default: str | None = None
    changes_values: bool = False


@dataclass(frozen=True, slots=True)
class StatementRun:
    """One SQL statement that ran: how long, how many rows, which locks it newly took, which tables it rewrote.

    `rows` is the driver's row count, -1 when unknown. `sql` is cut at 2,000 characters.
    """

    revision: str
    position: SourcePosition
    sql: str
    seconds: float
    rows: int
    locks: tuple[HeldLock, ...] = ()
    rewritten: tuple[TableName, ...] = ()


@dataclass(frozen=True, slots=True)
class RevisionRun:
    """One revision that ran to its end on some database. `writes`: the rows that it wrote itself, where the engine
    counts them, by the tables' names at its end."""

    revision: str
    direction: str
    seconds: float
    operations: tuple[Operation, ...] = ()
    statements: tuple[StatementRun, ...] = ()
    writes: tuple[RowWrites, ...] = ()
