"""Whether a type change can be made through a second column for certain: the edits, or in words what is in the way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from handrail.facts import ColumnFacts, TableFacts, TableName
from handrail.lint.change_rule import Around
from handrail.lint.column_steps import free_name
from handrail.lint.dependents import dependents
from handrail.lint.finding import Edit
from handrail.lint.past import column_facts
from handrail.lint.repairs import op_name, replaced
from handrail.lint.rules.narrowed_type import may_not_fit
from handrail.lint.rules.volatile_default import is_volatile
from handrail.lint.script_text import ScriptText
from handrail.lint.shadow_column import Conversion, ShadowColumn
from handrail.lint.type_changes import Effect, catalog_type, effect, is_assigned, is_fixed
from handrail.migrations import changes
from handrail.migrations.changes import AlterColumn, Change, Place
from handrail.migrations.sql_names import quoted
from handrail.migrations.sql_words import NotSQL, Word, statements
from handrail.migrations.types import TypeText

#: What a call may say: where, the type, how it is converted; and what was before.
_UNDERSTOOD: Final = frozenset(
    {"table_name", "column_name", "schema", "type_", "postgresql_using"}
    | {"existing_type", "existing_nullable", "existing_server_default", "existing_autoincrement"}
)
#: What gives another value each time, or is no expression of one row.
_UNSTEADY: Final = re.compile(r"(?i)\b(select|now|current_\w+|localtime|localtimestamp|session_user|user)\b|--|/\*|;")
_NOWHERE: Final = Place("", "", 0)


@dataclass(frozen=True, slots=True)
class ShadowRepair:
    """The edits of both functions of the script, and what the next revisions do."""

    edits: tuple[Edit, ...]
    split: ShadowColumn


class _Hindered(Exception):
    """Why it cannot be done, in words."""


def shadow_repair(around: Around) -> ShadowRepair | str:
    """The repair of the type change that `around` is about, where the catalog is known and nothing hangs on the column;
    else why there is none."""
    change = around.change
    assert isinstance(change, AlterColumn)  # noqa: S101 - the rule saw it
    try:
        return _repair(around, change)
    except _Hindered as reason:
        return str(reason)


def _repair(around: Around, change: AlterColumn) -> ShadowRepair:
    table, column = around.facts(change.table), column_facts(around, change.table, change.column)
    if table is None or column is None or column.carries is None or around.context.facts is None:
        raise _Hindered(f"the catalog does not tell what hangs on {change.table}.{change.column}")
    if found := dependents(around.context.facts, table.name, change.column):
        raise _Hindered(f"to be made anew on it beforehand: {', '.join(found)}")
    old = catalog_type(column.type)
    if old is None or column.generated:
        raise _Hindered(f"{change.column} is computed, or of a type that is not known")
    if may_not_fit(around, change):  # HR-MF105 tells of it, and would have nothing to tell of any more
        raise _Hindered(f"the values of {change.column} have to fit {change.type} before, and not all may")
    _refuse_elsewhere(around, change)
    call = _plain_call(change, around.script.upgrade.changes)
    back = _counterpart(around, change)
    back_call = _plain_call(back, around.script.downgrade.changes)
    _refuse_types(change, back, old, column)
    split = _split(around, change, back, (table, column, old))
    return ShadowRepair(_edits(around, call, back_call, split), split)


def _refuse_elsewhere(around: Around, change: AlterColumn) -> None:
    """Refuse where the catalog is not of the moment before the change, or what comes after it means the new column."""
    reading, table, column = around.script, change.table, change.column
    others = [one for one in reading.upgrade.changes if one is not change]
    others += [one for one in reading.downgrade.changes if not isinstance(one, AlterColumn) or one.column != column]
    for one in others:
        if _meets(one, table, column):
            raise _Hindered(f"line {one.place.line} of the script works on {table} too, or may")
    for script in around.context.scripts[: around.context.scripts.index(reading)]:
        found = script.function(around.context.direction).changes
        if any(_meets(one, table, column) for one in found if not _writes_known_rows(one)):
            raise _Hindered(f"{script.revision.path}, which runs before, works on {table} too, or may")


def _writes_known_rows(one: Change) -> bool:
    """Rows may be written before: the catalog stays as it is."""
    return isinstance(one, changes.WriteRows) and one.table is not None


def _meets(one: Change, table: TableName, column: str) -> bool:
    """Whether a change does something to the column, or to its table in a way that may concern it."""
    match one:
        case changes.NotAnalysable() | changes.WriteRows(table=None):
            return True
        case changes.AlterColumn() | changes.DropColumn():
            return one.table.name == table.name and column in {one.column, getattr(one, "new_name", None)}
        case changes.AddColumn(column=added):
            return one.table.name == table.name and (added.name == column or added.filled_by.startswith("computed"))
        case changes.DropConstraint() | changes.DropIndex() | changes.ValidateConstraint() | changes.Batch():
            return False
        case changes.CreateIndex(table=where):
            return where.name == table.name and _speaks_of((*one.columns, one.condition), column)
        case changes.AddConstraint(table=where, constraint=made) if made.references is None:
            is_unclear = made.using_index is not None
            return where.name == table.name and (is_unclear or _speaks_of((*made.columns, made.condition), column))
    return _speaks_of([repr(replace(one, place=_NOWHERE))], table.name)


def _speaks_of(texts: Iterable[str], word: str) -> bool:
    return any(re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", text) for text in texts)


def _plain_call(change: AlterColumn, all_: Sequence[Change]) -> ast.Call:
    """The call of op.alter_column, where it stands for this change alone and says nothing but the type."""
    call, place = change.place.call, change.place
    if call is None or place.is_sql:
        raise _Hindered(f"line {place.line} is SQL; op.alter_column could be repaired")
    if sum(one.place.call is call for one in all_) > 1 or place.is_conditional or place.in_autocommit:
        raise _Hindered(
            f"line {place.line} changes several columns, or does not always run in the script's transaction"
        )
    more = sorted({str(word.arg) for word in call.keywords if word.arg not in _UNDERSTOOD and not _is_nothing(word)})
    if more:
        raise _Hindered(f"line {place.line} also says {', '.join(more)}; let another call say it")
    if change.using is None and any(word.arg == "postgresql_using" for word in call.keywords):
        raise _Hindered(f"the postgresql_using of line {place.line} is known only when the script runs")
    return call


def _is_nothing(word: ast.keyword) -> bool:
    """Whether an argument is what it is when it is left out."""
    return word.arg == "existing_comment" and isinstance(word.value, ast.Constant) and word.value.value is None


def _counterpart(around: Around, change: AlterColumn) -> AlterColumn:
    """The change of downgrade() that gives the column its old type."""
    found = [
        one
        for one in around.script.downgrade.changes
        if isinstance(one, AlterColumn) and (one.table, one.column) == (change.table, change.column)
    ]
    if len(found) != 1 or found[0].type is None:
        raise _Hindered(f"downgrade() does not give {change.column} its old type back by one op.alter_column")
    return found[0]


def _refuse_types(change: AlterColumn, back: AlterColumn, old: TypeText, column: ColumnFacts) -> None:
    """Refuse what PostgreSQL would refuse, and what is not certain to be the same afterwards."""
    assert change.type is not None  # noqa: S101 - the rule and _counterpart saw them
    assert back.type is not None  # noqa: S101
    if {effect(old, back.type, None), effect(back.type, old, None)} != {Effect.KEEPS}:
        raise _Hindered(f"downgrade() gives it the type {back.type}, and the database has {column.type}")
    if change.type.creates_check or back.type.creates_check:
        raise _Hindered("the type makes a CHECK")
    for one, before, after in ((change, old, change.type), (back, change.type, back.type)):
        if one.using is None and not is_assigned(before, after):
            raise _Hindered(f"PostgreSQL may not convert {before} to {after} by itself; say postgresql_using")
    if column.default is not None and not is_assigned(old, change.type):
        raise _Hindered(f"the default {column.default} may not be one of the new type")


def _split(
    around: Around, change: AlterColumn, back: AlterColumn, known: tuple[TableFacts, ColumnFacts, TypeText]
) -> ShadowColumn:
    table, column, old = known
    assert change.type is not None  # noqa: S101 - the rule saw it
    taken = {*table.column_names(), *_added(around, change.table)}
    shadow = free_name(change.column, "_new", taken)
    return ShadowColumn(
        change.table,
        change.column,
        shadow,
        _conversion(change, old, change.type, table),
        _conversion(back, change.type, old, table),
        column.type,
        free_name(change.column, "_aside", {*taken, shadow}),
        column.nullable,
        column.default,
    )


def _added(around: Around, table: TableName) -> Iterator[str]:
    """The names that scripts of the path give to further columns of the table."""
    for script in around.context.scripts:
        for one in script.upgrade.changes:
            if isinstance(one, changes.AddColumn) and one.table.name == table.name and one.column.name:
                yield one.column.name


def _conversion(change: AlterColumn, before: TypeText, after: TypeText, table: TableFacts) -> Conversion:
    """How the values become those of the other type: as USING says, else by an assignment."""
    if change.using is None:
        return Conversion(quoted(change.column), (change.column,), not is_fixed(before, after))
    using = change.using.strip()
    if "%" in using:
        raise _Hindered(f"its USING ({using}) holds a %, which drivers read in ways of their own")
    try:
        found = statements(using)
    except NotSQL:
        found = []
    if len(found) != 1 or _UNSTEADY.search(re.sub(r"'(?:[^']|'')*'", "''", using)) or is_volatile(using):
        raise _Hindered(f"its USING ({using}) may give another value each time, or is no expression")
    names = [(word.text if word.kind == "name" else word.text.lower()) for word in found[0] if word.kind != "string"]
    if _is_whole_row(found[0], table.name):
        raise _Hindered(f"its USING ({using}) names the table otherwise than {table.name.name}.{change.column}")
    reads = tuple(dict.fromkeys((change.column, *(name for name in table.column_names() if name in names))))
    return Conversion(using, reads, is_pinned=True)


def _is_whole_row(words: Sequence[Word], table: TableName) -> bool:
    """Whether the table is named for its row, or with its schema: a trigger knows its row by the table's name alone."""
    for place, word in enumerate(words):
        if word.kind not in {"word", "name"} or word.text.casefold() != table.name.casefold():
            continue
        before, after = words[place - 1 : place], words[place + 1 : place + 2]
        if [one.text for one in before] == ["."] or [one.text for one in after] != ["."]:
            return True
    return False


def _edits(around: Around, call: ast.Call, back: ast.Call, split: ShadowColumn) -> tuple[Edit, ...]:
    source = around.script.revision.source
    script, op = ScriptText.of(source), op_name(source)
    written = next((word.value for word in call.keywords if word.arg == "type_"), None)
    new_type = script.text_of(written)
    if new_type is None or not script.has_sa:
        raise _Hindered("its type is not written out in the call, or `import sqlalchemy as sa` is missing")
    found = (replaced(source, call, split.expand(new_type, op)), replaced(source, back, split.unexpand(op)))
    if not all(found):
        raise _Hindered("its call, or that of downgrade(), is no statement of its own")
    return tuple(edit for edits in found for edit in edits)
