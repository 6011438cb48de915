"""Which changes lock a table on PostgreSQL, and which work on a table for a time that grows with it."""

from __future__ import annotations

from typing import Final

from handrail.facts import TableName
from handrail.lint.change_rule import Around
from handrail.lint.past import is_proven_not_null
from handrail.lint.rules.serial_column import is_numbered
from handrail.lint.rules.volatile_default import is_volatile
from handrail.lint.type_changes import Effect, effect
from handrail.migrations import changes
from handrail.migrations.changes import Change, Command, ConstraintKind, Verb

_LOCKING_WORDS: Final = frozenset({"LOCK", "CLUSTER", "REINDEX", "CREATE TRIGGER", "DETACH PARTITION"})
_SLOW_VERBS: Final = frozenset({Verb.UPDATE, Verb.DELETE, Verb.MERGE})
_CHECKED: Final = frozenset({ConstraintKind.CHECK, ConstraintKind.FOREIGN_KEY, ConstraintKind.NOT_NULL})


def locked(change: Change) -> tuple[TableName, ...]:
    """The tables that others cannot write to (or not use at all) from the change on to the end of the transaction."""
    match change:
        case changes.AddConstraint(table=table, constraint=made) if made.references is not None:
            return (table, made.references)
        case changes.AddConstraint() | changes.DropConstraint() | changes.DropColumn() | changes.RenameTable():
            return (change.table,)
        case changes.AddColumn(table=table) | changes.AlterColumn(table=table):
            return (table,)
        case changes.CreateIndex(table=table, is_concurrent=False):
            return (table,)
        case changes.DropIndex(table=TableName() as table, is_concurrent=False):
            return (table,)
        case Command(table=TableName() as table, is_concurrent=False, words=words) if words in _LOCKING_WORDS:
            return (table,)
    return ()


def worked_on(around: Around, change: Change) -> TableName | None:
    """The table whose rows are read or written, all or many; None when the change takes but a moment."""
    match change:
        case changes.CreateIndex(table=table, is_concurrent=False) | changes.ValidateConstraint(table=table):
            return table
        case changes.AddConstraint(table=table, constraint=made) if made.using_index is None and (
            made.is_checked or made.kind not in _CHECKED
        ):
            return table
        case changes.WriteRows(table=table, verb=verb) if verb in _SLOW_VERBS:
            return table
        case Command(table=table, words="CLUSTER" | "REINDEX", is_concurrent=False):
            return table
    return passed_over(around, change)


def passed_over(around: Around, change: Change) -> TableName | None:
    """The table that ALTER TABLE goes through row by row; one statement goes through it once for all its actions."""
    match change:
        case changes.AlterColumn(table=table, type=new, existing_type=old, using=using) if (
            new is not None and effect(old, new, using) is Effect.REWRITES
        ):
            return table
        case changes.AlterColumn(table=table, column=column, nullable=False, existing_nullable=None | True):
            return None if is_proven_not_null(around, table, column) else table
        case changes.AddColumn(table=table, column=column) if (
            is_numbered(change) or column.filled_by == "computed" or is_volatile(column.server_default or "")
        ):
            return table
        case changes.AddConstraint(table=table, constraint=made) if made.kind is ConstraintKind.CHECK:
            return table if made.is_checked else None
    return None


def before_in_transaction(around: Around) -> list[Change]:
    """What the transaction of the change has done before it; [] for a change in an autocommit block."""
    found: list[Change] = []
    if around.change.place.in_autocommit:
        return found
    for change in reversed(around.before):
        is_committed = isinstance(change, Command) and change.words == "COMMIT"
        if change.place.in_autocommit or is_committed:
            break
        if change.place.dialects.allows("postgresql"):
            found.append(change)
    return found[::-1]
