"""What was done before a change, in its script and in those that run before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from handrail.facts import ColumnFacts, ObjectKind, TableName
from handrail.lint.change_rule import Around
from handrail.migrations import changes
from handrail.migrations.changes import Change, ConstraintKind, ConstraintText, Verb
from handrail.migrations.columns import ColumnText
from handrail.migrations.types import TypeText

_FILLING = {Verb.UPDATE, Verb.DELETE, Verb.TRUNCATE, Verb.MERGE}


def earlier(around: Around) -> Iterator[Change]:
    """Every change before this one: of the scripts before, then of its own."""
    direction = around.context.direction
    for script in around.context.scripts:
        if script is around.script:
            break
        yield from around.that_run(script.function(direction).changes)
    yield from around.before


def column_facts(around: Around, table: TableName, column: str) -> ColumnFacts | None:
    """What the catalog says of a column as it is before the scripts run."""
    found = around.facts(table)
    return None if found is None else next((one for one in found.columns if one.name == column), None)


def added(around: Around, table: TableName, column: str) -> changes.AddColumn | None:
    """The change of the same script by which the column came to be."""
    found = [
        change
        for change in around.before
        if isinstance(change, changes.AddColumn) and change.table == table and change.column.name == column
    ]
    return found[-1] if found else None


def type_before(around: Around, table: TableName, column: str) -> TypeText | None:
    """The type that the scripts before gave the column; None when they do not say."""
    found = None
    for change in _of_column(around, table, column):
        if isinstance(change, ColumnText):
            found = change.sql_type
        elif isinstance(change, changes.AlterColumn) and change.type is not None:
            found = change.type
    return found


def nullable_before(around: Around, table: TableName, column: str) -> bool | None:
    """Whether the column may hold NULLs by the scripts before; None when they do not say."""
    found = None
    for change in _of_column(around, table, column, in_keys=True):
        if isinstance(change, ConstraintText):
            found = False
        elif change.nullable is not None:
            found = change.nullable
    return found


def is_required(around: Around, table: TableName, column: str) -> bool:
    """Whether the column is NOT NULL already, by the scripts before or by the catalog."""
    made, known = nullable_before(around, table, column), column_facts(around, table, column)
    return made is False or (made is None and known is not None and not known.nullable)


def _of_column(
    around: Around, table: TableName, column: str, *, in_keys: bool = False
) -> Iterator[ColumnText | changes.AlterColumn | ConstraintText]:
    """What the scripts before say of a column: how it was made, how it was altered, and which primary keys it is in."""
    for change in earlier(around):
        match change:
            case changes.CreateTable(table=where, columns=columns, constraints=made) if where == table:
                yield from (new for new in columns if new.name == column)
                yield from (key for key in made if in_keys and _is_key(key, column))
            case changes.AddConstraint(table=where, constraint=key) if where == table and _is_key(key, column):
                yield from (key,) if in_keys else ()
            case changes.AddColumn(table=where, column=new) if where == table and new.name == column:
                yield new
            case changes.AlterColumn(table=where, column=name) if where == table and name == column:
                yield change


def _is_key(made: ConstraintText, column: str) -> bool:
    return made.kind is ConstraintKind.PRIMARY_KEY and column in made.columns


def is_obscure(around: Around) -> bool:
    """Whether something before in the script, of which it is not known what it does, may have written rows."""
    return any(isinstance(change, changes.NotAnalysable) for change in around.before)


def is_filled(around: Around, table: TableName, column: str) -> bool:
    """Whether rows were written before so that a count of today says nothing of then (`UPDATE … SET column = …`)."""
    return any(
        isinstance(change, changes.WriteRows)
        and change.verb in _FILLING
        and change.table in {table, None}
        and (change.verb is not Verb.UPDATE or not change.columns or column in change.columns)
        for change in earlier(around)
    )


def is_proven_not_null(around: Around, table: TableName, column: str) -> bool:
    """Whether a checked CHECK (column IS NOT NULL) is there, by which PostgreSQL (12 and later) needs no scan. It stays
    when the column gets another name."""
    known, column = around.context.facts, _first_name(around, table, column)
    objects = () if known is None else known.objects
    if any(
        one.kind is ObjectKind.CONSTRAINT and one.table == table and one.is_valid and _says(one.definition, column)
        for one in objects
    ):
        return True
    waiting: set[str | None] = set()
    for change in earlier(around):
        match change:
            case changes.AddConstraint(table=where, constraint=made) if where == table:
                is_proof = _says(made.condition, column) or (
                    made.kind is ConstraintKind.NOT_NULL and column in made.columns
                )
                if is_proof and made.is_checked:
                    return True
                if is_proof:
                    waiting.add(made.name)
            case changes.ValidateConstraint(table=where, name=name) if where == table and name in waiting:
                return True
            case changes.AlterColumn(table=where, column=old, new_name=str(new)) if (where, old) == (table, column):
                column = new
    return False


def _first_name(around: Around, table: TableName, column: str) -> str:
    """What the column was called before all that runs before the change."""
    for change in reversed(list(earlier(around))):
        if isinstance(change, changes.AlterColumn) and (change.table, change.new_name) == (table, column):
            column = change.column
    return column


def _says(condition: str, column: str) -> bool:
    """Whether a condition is `column IS NOT NULL`, or one such after another with AND."""
    text = re.sub(r"\s+", " ", re.sub(r'[()"]', " ", condition)).strip().lower().removeprefix("check ")
    return f"{column.lower()} is not null" in text.split(" and ") and " or " not in text
