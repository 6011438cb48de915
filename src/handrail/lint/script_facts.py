"""What several rules ask about the script around a change: what it declares, did before, and what can be counted."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.facts import TableName
from handrail.lint import past
from handrail.lint.change_rule import Around
from handrail.migrations.changes import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Change,
    DropColumn,
    DropTable,
    ValidateConstraint,
    Verb,
    WriteRows,
)
from handrail.migrations.declarations import Reading, read_declaration
from handrail.migrations.revision import Direction
from handrail.migrations.sql_columns import read_sql_type
from handrail.migrations.sql_words import NotSQL, statements
from handrail.migrations.types import TypeText

_DEFAULT_SCHEMAS = {None, "public", "main"}


def is_declared(
    around: Around, table: TableName | None, column: str | None = None, *, may_vanish: bool = False
) -> bool:
    """Whether the script says by a marker that it means to change (or with `may_vanish` to drop) this."""
    if table is None:
        return False
    declared = read_declaration(around.script.revision.source).tables
    return any(
        _means(reading, table, column)
        for one in declared
        if one.may_vanish or not may_vanish
        for reading in one.readings()
    )


def _means(reading: Reading, table: TableName, column: str | None) -> bool:
    if reading.table.name.casefold() != table.name.casefold():
        return False
    schemas = {reading.table.schema, table.schema}
    if len(schemas) > 1 and not schemas <= _DEFAULT_SCHEMAS:
        return False
    return reading.column is None or (column is not None and reading.column.casefold() == column.casefold())


def earlier(around: Around) -> Iterable[Change]:
    """What runs before the change, in this script and in those before it that run in one go with it."""
    return past.earlier(around) if around.context.is_path else around.before


def old_rows_are_checked(around: Around, made: AddConstraint) -> bool:
    """Whether the rows that are there have to meet the constraint in this script: at once, or validated later in it."""
    return made.constraint.is_checked or any(
        isinstance(one, ValidateConstraint) and one.name == made.constraint.name and one.table == made.table
        for one in around.after
    )


def is_rewritten_before(around: Around, table: TableName) -> bool:
    """Whether rows of the table may have been changed on the way, so that what is there now says little."""
    verbs = {Verb.UPDATE, Verb.DELETE, Verb.TRUNCATE, Verb.MERGE, Verb.INSERT}
    return any(
        isinstance(one, WriteRows) and one.verb in verbs and one.table in {None, table} for one in earlier(around)
    )


def is_new_column(around: Around, table: TableName, column: str) -> bool:
    """Whether the column was added (or got this name) on the way."""
    for one in earlier(around):
        if isinstance(one, AddColumn) and one.table == table and one.column.name == column:
            return True
        if isinstance(one, AlterColumn) and one.table == table and one.new_name == column:
            return True
    return False


def is_replaced(around: Around, table: TableName, column: str) -> bool:
    """Whether the script lets the column go and gives its name to another one, and says by a marker that it means to:
    who asks for the name gets the other column, in the same moment."""
    is_gone = is_named = False
    for one in around.all:
        if isinstance(one, DropColumn) and (one.table, one.column) == (table, column):
            is_gone = True
        elif isinstance(one, AlterColumn) and (one.table, one.new_name) == (table, column):
            is_named = is_gone
    return is_named and is_declared(around, table, column, may_vanish=True)


def goes_with_its_table(around: Around, table: TableName) -> bool:
    """Whether the script drops the whole table after the change, which is told of on its own."""
    is_conditional = around.change.place.is_conditional
    return any(
        isinstance(one, DropTable) and one.table == table and one.place.is_conditional <= is_conditional
        for one in around.after
    )


def can_count(around: Around, table: TableName | None, *columns: str) -> bool:
    """Whether the table and these columns are in the live database as the script names them."""
    if table is None or around.is_new(table) or any(is_new_column(around, table, column) for column in columns):
        return False
    if around.context.facts is None:
        return True
    found = around.facts(table)
    return found is not None and set(columns) <= set(found.column_names())


def type_before(around: Around, table: TableName, column: str) -> TypeText | None:
    """The type of a column before the script: by the catalog, else by what the opposite function makes of it."""
    found = around.facts(table)
    for known in found.columns if found is not None else ():
        if known.name == column:
            return type_of_text(known.type)
    up = around.context.direction is Direction.UPGRADE
    for one in around.script.function(Direction.DOWNGRADE if up else Direction.UPGRADE).changes:
        if isinstance(one, AddColumn) and one.table == table and one.column.name == column:
            return one.column.sql_type
        if isinstance(one, AlterColumn) and one.table == table and one.column == column and one.type is not None:
            return one.type
    return None


def type_of_text(text: str) -> TypeText | None:
    """A type by the engine's own text."""
    try:
        found = statements(text)
    except NotSQL:
        return None
    return read_sql_type(found[0]) if found else None
