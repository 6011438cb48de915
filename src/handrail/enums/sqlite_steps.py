"""The steps of enum changes on SQLite, where an enum is text, with or without a CHECK: Alembic's batch mode copies the
table, and a CHECK without a name is lost in the copy (measured), so one with a name takes its place."""

from __future__ import annotations

from collections.abc import Iterator

from handrail.enums.changes import ChangeColumn, EnumChange, TableCheck
from handrail.enums.postgres_steps import moved_rows
from handrail.enums.states import StoredEnum, Strategy
from handrail.enums.steps import BatchColumn, KeepReferences, RefuseRows, Step


def sqlite_steps(change: EnumChange) -> tuple[Step, ...]:
    """What the change is on SQLite; () when it is nothing there: it has no types."""
    match change:
        case ChangeColumn():
            found = tuple(_column(change))
            is_copied = any(isinstance(step, BatchColumn) for step in found)
            return (KeepReferences(change.column.table), *found) if is_copied else found
        case TableCheck(column=column, is_gone=False):
            return (
                BatchColumn(
                    column.column,
                    makes=column.check_name or "",
                    allowed=column.labels,
                    default=_restated(column),
                    length=column.length,
                ),
            )
    return ()


def _column(change: ChangeColumn) -> Iterator[Step]:
    before, after = change.before, change.after
    moves = change.values.texts()
    has_check, gets_check = before.strategy is Strategy.CHECK, after.strategy is Strategy.CHECK
    is_same_check = has_check and gets_check and before.labels == after.labels and bool(before.check_name)
    if gets_check and not is_same_check:
        gone = [label for label in before.labels if moves.get(label, label) not in after.labels]
        if gone or not before.labels:
            moved = tuple(old for old in moves if old not in after.labels)
            yield RefuseRows(before.column, (*after.labels, *moved))
    new_default = (before.default, before.default_sql) != (after.default, after.default_sql)
    drops = before.check_name or "" if has_check and not is_same_check else ""
    makes = after.check_name or "" if gets_check and not is_same_check else ""
    if moves:
        if has_check:
            yield BatchColumn(before.column, drops=drops, default=_restated(before), length=before.length)
            drops = ""
        yield from moved_rows(before, moves)
    if drops or makes or new_default:
        yield BatchColumn(
            before.column,
            drops=drops,
            makes=makes,
            allowed=after.labels if makes else (),
            default=after.default if new_default else _restated(after),
            drops_default=new_default and after.default is None,
            length=before.length,
        )


def _restated(column: StoredEnum) -> str | None:
    """The default if it has a colon: a copy takes what follows for a parameter: 'b :c' becomes 'b NULL'."""
    return column.default if ":" in (column.default or "") else None
