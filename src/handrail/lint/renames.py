"""Finds what autogenerate writes for a rename: one thing dropped, another of the same make added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from handrail.facts import TableName
from handrail.lint.change_rule import Around
from handrail.lint.script_facts import type_before
from handrail.migrations.changes import (
    AddColumn,
    Change,
    CreateTable,
    DropColumn,
    DropTable,
    RenameTable,
    Verb,
    WriteRows,
)
from handrail.migrations.columns import ColumnText
from handrail.migrations.revision import Direction
from handrail.migrations.types import TypeText

#: How alike two names are to be taken for one when there are several; seen in real renames: 0.6 and more.
_ALIKE = 0.6
_SAME = {"float": "double precision", "json": "jsonb", "uuid": "uuid", "autostring": "varchar"}


@dataclass(frozen=True, slots=True)
class ColumnRename:
    """A column that is likely the dropped one under a new name. `is_certain`: the types are known and equal."""

    added: AddColumn
    is_certain: bool


def column_rename(around: Around) -> ColumnRename | None:
    """The added column that a DropColumn's column became; None when none fits, or when its values were carried over."""
    dropped = around.change
    if not isinstance(dropped, DropColumn) or around.is_new(dropped.table) or is_emptied(around, dropped.table):
        return None
    return _column_pairs(around, dropped.table).get(dropped.column)


def _column_pairs(around: Around, table: TableName) -> dict[str, ColumnRename]:
    """The pairs among what the function drops from a table and adds to it: the most alike names first."""
    added = [one for one in around.all if isinstance(one, AddColumn) and one.table == table]
    names = {one.column.name for one in added}
    dropped = [one.column for one in around.all if isinstance(one, DropColumn) and one.table == table]
    dropped = [name for name in dropped if name not in names]
    added = [one for one in added if not _is_filled(around.all, one) and not one.column.filled_by]
    is_alone = len(added) == len(dropped) == 1
    scored = []
    for name in dropped:
        before = type_before(around, table, name)
        for one in added:
            is_same = before is not None and is_same_type(before, one.column.sql_type)
            likeness = _likeness(name, one.column.name or "")
            if (is_same and (is_alone or likeness >= _ALIKE)) or (before is None and is_alone):
                scored.append((likeness, name, ColumnRename(one, is_same)))
    pairs: dict[str, ColumnRename] = {}
    for _, name, rename in sorted(scored, key=lambda item: -item[0]):
        if name not in pairs and all(rename.added is not other.added for other in pairs.values()):
            pairs[name] = rename
    return pairs


def _likeness(one: str, other: str) -> float:
    """From 0 to 1, also when the words of the name have changed places."""
    turned, other_turned = ("_".join(sorted(name.split("_"))) for name in (one, other))
    return max(SequenceMatcher(None, one, other).ratio(), SequenceMatcher(None, turned, other_turned).ratio())


def is_emptied(around: Around, table: TableName) -> bool:
    """Whether the script deleted every row before: there is nothing left to lose."""
    names = {table}
    for one in reversed(around.before):
        if isinstance(one, RenameTable) and one.new in names:
            names.add(one.table)
    return any(
        isinstance(one, WriteRows)
        and one.verb in {Verb.DELETE, Verb.TRUNCATE}
        and one.table in names
        and not one.is_filtered
        and not one.place.is_conditional
        for one in around.before
    )


def _is_filled(changes: Sequence[Change], added: AddColumn) -> bool:
    """Whether an UPDATE gives the new column its values."""
    return any(
        isinstance(one, WriteRows)
        and one.verb in {Verb.UPDATE, Verb.MERGE}
        and one.table in {None, added.table}
        and (not one.columns or added.column.name in one.columns)
        for one in changes
    )


def is_same_type(one: TypeText, other: TypeText | None) -> bool:
    """Whether two types hold the same values, however they are written."""
    if other is None:
        return False
    return _SAME.get(one.name, one.name) == _SAME.get(other.name, other.name) and one.arguments == other.arguments


def table_rename(around: Around) -> TableName | None:
    """The table with the same columns that the function makes in place of the one it drops, and does not fill."""
    dropped = around.change
    if not isinstance(dropped, DropTable) or around.is_new(dropped.table):
        return None
    columns = _columns_before(around, dropped.table)
    for one in _created(around):
        found = {(column.name or "") for column in one.columns}
        is_filled = any(isinstance(row, WriteRows) and row.table in {None, one.table} for row in around.all)
        if one.table != dropped.table and len(columns) > 1 and found == columns and not is_filled:
            return one.table
    return None


def _created(around: Around) -> Iterator[CreateTable]:
    yield from (one for one in around.all if isinstance(one, CreateTable) and one.is_whole and not one.is_temporary)


def _columns_before(around: Around, table: TableName) -> set[str]:
    found = around.facts(table)
    if found is not None:
        return set(found.column_names())
    up = around.context.direction is Direction.UPGRADE
    columns: tuple[ColumnText, ...] = ()
    for one in around.script.function(Direction.DOWNGRADE if up else Direction.UPGRADE).changes:
        if isinstance(one, CreateTable) and one.table == table and one.is_whole:
            columns = one.columns
    return {column.name or "" for column in columns}
