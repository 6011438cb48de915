"""What a migration asks a database for: one value per change, the same whether it is written as `op.…` or as SQL.

This is what lint rules look at. `None` in a field means that it was left out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import StrEnum

from handrail.facts import TableName
from handrail.migrations.columns import ColumnText
from handrail.migrations.dialects import ANY, Dialects
from handrail.migrations.types import TypeText


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change stands in its script and under which circumstances it is made.

    `line` counts from 1, `column` in UTF-8 bytes from 0; `call` is the expression that asks for it. `is_conditional`:
    in an `if`, `try` or loop that could not be followed. `in_autocommit`: in an `autocommit_block`. `batch`: the number
    of the batch_alter_table block it stands in, 0 for none. `is_sql`: written as SQL, which may hold several changes.
    """

    revision: str
    path: str
    line: int
    column: int = 0
    is_conditional: bool = False
    in_autocommit: bool = False
    batch: int = 0
    is_sql: bool = False
    dialects: Dialects = ANY
    call: ast.Call | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """The base of all changes."""

    place: Place


class ConstraintKind(StrEnum):
    PRIMARY_KEY = "primary key"
    UNIQUE = "unique"
    CHECK = "check"
    FOREIGN_KEY = "foreign key"
    EXCLUDE = "exclude"
    NOT_NULL = "not null"
    UNKNOWN = "constraint"


@dataclass(frozen=True, slots=True)
class ConstraintText:
    """A constraint as written. `references` and `referenced` are a foreign key's table and columns, `condition` a
    check's SQL; `using_index` the index that becomes the constraint. `is_checked` is False with NOT VALID."""

    kind: ConstraintKind
    name: str | None
    columns: tuple[str, ...] = ()
    references: TableName | None = None
    referenced: tuple[str, ...] = ()
    on_delete: str = ""
    condition: str = ""
    using_index: str | None = None
    is_checked: bool = True


@dataclass(frozen=True, slots=True)
class CreateTable(Change):
    """`is_whole` is False when its columns are not all known (AS SELECT, a helper of the project, a starred list)."""

    table: TableName
    columns: tuple[ColumnText, ...] = ()
    constraints: tuple[ConstraintText, ...] = ()
    if_not_exists: bool = False
    is_temporary: bool = False
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class DropTable(Change):
    table: TableName
    cascades: bool = False
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameTable(Change):
    table: TableName
    new: TableName


@dataclass(frozen=True, slots=True)
class AddColumn(Change):
    table: TableName
    column: ColumnText
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropColumn(Change):
    table: TableName
    column: str
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class AlterColumn(Change):
    """What is None stays as it is. `default` is the new default's SQL, "" when it is dropped. `existing_type` and
    `existing_nullable` are what the script says of the column before; `using` the SQL of a type change's USING."""

    table: TableName
    column: str
    new_name: str | None = None
    type: TypeText | None = None
    nullable: bool | None = None
    default: str | None = None
    existing_type: TypeText | None = None
    existing_nullable: bool | None = None
    using: str | None = None


@dataclass(frozen=True, slots=True)
class CreateIndex(Change):
    """`columns` are names, or the SQL text of an expression."""

    table: TableName
    name: str | None
    columns: tuple[str, ...] = ()
    is_unique: bool = False
    is_concurrent: bool = False
    if_not_exists: bool = False
    condition: str = ""


@dataclass(frozen=True, slots=True)
class DropIndex(Change):
    name: str | None
    table: TableName | None = None
    is_concurrent: bool = False
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class AddConstraint(Change):
    table: TableName
    constraint: ConstraintText


@dataclass(frozen=True, slots=True)
class DropConstraint(Change):
    table: TableName
    name: str | None
    kind: ConstraintKind = ConstraintKind.UNKNOWN


@dataclass(frozen=True, slots=True)
class ValidateConstraint(Change):
    table: TableName
    name: str


class Verb(StrEnum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"
    MERGE = "MERGE"


@dataclass(frozen=True, slots=True)
class WriteRows(Change):
    """Rows written by SQL, by SQLAlchemy Core or by an ORM session. `is_filtered`: there is a WHERE that is not always
    true. `columns`: those that an UPDATE sets, as far as known. `table` None: which one is not known. `sql`: the
    statement, "" when it was not written as SQL."""

    verb: Verb
    table: TableName | None
    is_filtered: bool = False
    cascades: bool = False
    columns: tuple[str, ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class CreateEnum(Change):
    name: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddEnumValue(Change):
    """`is_placed`: BEFORE or AFTER another one."""

    name: str
    label: str
    is_placed: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameEnumValue(Change):
    name: str
    label: str
    new: str


@dataclass(frozen=True, slots=True)
class DropObject(Change):
    """Anything that is no table, column, index or constraint: `kind` is "schema", "type", "view", "sequence" …"""

    kind: str
    name: str
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class RenameObject(Change):
    kind: str
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class Batch(Change):
    """A batch_alter_table block, before what stands in it. `calls` are the names of the calls in it. `recreate` is the
    argument ("auto" when left out), `is_copied` whether Alembic then copies the table on SQLite."""

    table: TableName
    number: int
    recreate: str = "auto"
    calls: tuple[str, ...] = ()
    is_copied: bool = True
    has_copy_from: bool = False


@dataclass(frozen=True, slots=True)
class Command(Change):
    """SQL that has no value of its own. `words` are its first key words in upper case ("REINDEX", "VACUUM FULL",
    "LOCK", "SET lock_timeout", "COMMIT", "ATTACH PARTITION", "SET LOGGED", "CREATE TRIGGER"), `sql` the statement."""

    words: str
    sql: str
    table: TableName | None = None
    is_concurrent: bool = False


@dataclass(frozen=True, slots=True)
class NotAnalysable(Change):
    """Something that may change the database in a way that cannot be read, and why."""

    reason: str
