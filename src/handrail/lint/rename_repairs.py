"""Edits that make a rename of what autogenerate wrote as a drop and an addition, in both functions of the script."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from handrail.facts import TableName
from handrail.lint.change_rule import Around
from handrail.lint.finding import Edit, source_line
from handrail.lint.repairs import over, statement_of
from handrail.lint.script_text import ScriptText
from handrail.migrations import changes
from handrail.migrations.changes import AddColumn, Change, CreateTable, DropColumn, DropTable
from handrail.migrations.columns import ColumnText
from handrail.migrations.dialects import ANY
from handrail.migrations.revision import Direction

#: Arguments of a column that alter_column can change too; the type is the same. Every other would be lost by a rename.
_KEPT: Final = frozenset({"name", "type_", "nullable", "server_default"})
#: Where the table stands, and the name and type of a column.
_POSITIONAL: Final = 2


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the functions: what it does, and what is dropped and added in it."""

    text: ScriptText
    all: Sequence[Change]
    dropped: DropColumn | DropTable
    added: Change


def column_edits(around: Around, added: AddColumn) -> tuple[Edit, ...]:
    """The edits for a column; () where a rename would lose what the added column has, or is not all there is to do."""
    dropped = around.change
    back = _opposite(around)
    brought = [one for one in back if isinstance(one, AddColumn) and _is(one, dropped, one.column.name)]
    taken = [one for one in back if isinstance(one, DropColumn) and _is(one, added, one.column)]
    if not isinstance(dropped, DropColumn) or len(brought) != 1 or len(taken) != 1:
        return ()
    text = ScriptText.of(around.script.revision.source)
    old, new = brought[0].column, added.column
    forth, reverse = _differences(text, old, new), _differences(text, new, old)
    if forth is None or reverse is None:
        return ()
    up = _renamed_column(_Side(text, around.all, dropped, added), dropped.column, new.name or "", forth)
    down = _renamed_column(_Side(text, back, taken[0], brought[0]), new.name or "", dropped.column, reverse)
    return (*up, *down) if up and down else ()


def table_edits(around: Around, new: TableName) -> tuple[Edit, ...]:
    """The edits for a table; () where the tables differ in more than their names, or more is done to either."""
    dropped, back = around.change, _opposite(around)
    made = [one for one in around.all if isinstance(one, CreateTable) and one.table == new]
    if not isinstance(dropped, DropTable) or len(made) != 1 or dropped.table.schema != new.schema:
        return ()
    old = [one for one in back if isinstance(one, CreateTable) and one.table == dropped.table]
    taken = [one for one in back if isinstance(one, DropTable) and one.table == new]
    if len(old) != 1 or len(taken) != 1 or not _are_alike(old[0], made[0]):
        return ()
    for one in (*around.all, *back):
        if getattr(one, "table", None) in {dropped.table, new} and one not in {dropped, *made, *old, *taken}:
            return ()
    text = ScriptText.of(around.script.revision.source)
    up = _renamed_table(_Side(text, around.all, dropped, made[0]), dropped.table, new)
    down = _renamed_table(_Side(text, back, taken[0], old[0]), new, dropped.table)
    return (*up, *down) if up and down else ()


def _opposite(around: Around) -> Sequence[Change]:
    is_up = around.context.direction is Direction.UPGRADE
    return around.script.function(Direction.DOWNGRADE if is_up else Direction.UPGRADE).changes


def _is(one: AddColumn | DropColumn, other: Change, name: str | None) -> bool:
    """Whether a change is about the column of another one."""
    if isinstance(other, DropColumn):
        return (one.table, name) == (other.table, other.column)
    return isinstance(other, AddColumn) and (one.table, name) == (other.table, other.column.name)


def _differences(text: ScriptText, old: ColumnText, new: ColumnText) -> dict[str, str] | None:
    """What alter_column has to change beside the name, by its arguments; None where it cannot."""
    if not (_is_plain(old) and _is_plain(new)) or None in {old.nullable, new.nullable}:
        return None
    found: dict[str, str] = {}
    if old.nullable != new.nullable:
        found = {"nullable": str(new.nullable), "existing_nullable": str(old.nullable)}
    if old.server_default != new.server_default:
        before, after = (text.text_of(_default(column)) for column in (old, new))
        is_known = all(one.server_default is None or text.text_of(_default(one)) for one in (old, new))
        if not is_known:
            return None
        found |= {"server_default": after or "None", "existing_server_default": before or "None"}
    if not found:
        return {}
    kind = text.text_of(_type(new))
    return None if kind is None else {"existing_type": kind, **found}


def _is_plain(column: ColumnText) -> bool:
    """Whether a column has nothing but a name, a type, NOT NULL and a default."""
    call = column.call
    if call is None or len(call.args) > _POSITIONAL or any(isinstance(one, ast.Starred) for one in call.args):
        return False
    return {word.arg for word in call.keywords} <= _KEPT and not column.filled_by and column.references is None


def _default(column: ColumnText) -> ast.expr | None:
    return _word(column, "server_default")


def _type(column: ColumnText) -> ast.expr | None:
    at = _POSITIONAL - 1
    positional = column.call.args[at] if column.call is not None and len(column.call.args) > at else None
    return positional or _word(column, "type_")


def _word(column: ColumnText, name: str) -> ast.expr | None:
    words = column.call.keywords if column.call is not None else []
    return next((word.value for word in words if word.arg == name), None)


def _are_alike(old: CreateTable, new: CreateTable) -> bool:
    """Whether two tables are the same but for their names: also constraints, whose own names would stay."""
    if not (old.is_whole and new.is_whole) or old.if_not_exists or new.if_not_exists:
        return False
    is_named = any(one.name is not None for one in (*old.constraints, *new.constraints))
    return not is_named and _shape(old) == _shape(new)


def _shape(table: CreateTable) -> tuple[object, ...]:
    columns = [
        (
            *(one.name, one.sql_type and (one.sql_type.name, one.sql_type.arguments, one.sql_type.labels)),
            *(one.nullable, one.server_default, one.filled_by, one.references, one.on_delete),
            *(one.is_unique, one.is_primary_key, one.is_indexed),
        )
        for one in table.columns
    ]
    return (columns, table.constraints)


def _renamed_column(side: _Side, old: str, new: str, more: dict[str, str]) -> tuple[Edit, ...]:
    text, table, batch = side.text, side.dropped.table, side.dropped.place.batch
    altered = [(one.table, one.column) for one in side.all if isinstance(one, changes.AlterColumn)]
    if (table, old) in altered:  # what was to go with the column would come along
        return ()
    if batch and _is_needed_in_block(side, old, new):
        return ()
    words = [f"new_column_name={text.quoted(new)}", *(f"{name}={value}" for name, value in more.items())]
    where = [] if batch else [text.quoted(table.name)]
    schema = [f"schema={text.quoted(table.schema)}"] if table.schema and not batch else []
    return _replaced(side, f"alter_column({', '.join([*where, text.quoted(old), *words, *schema])})", old, new)


def _is_needed_in_block(side: _Side, old: str, new: str) -> bool:
    """Whether the same batch makes an index or a constraint on the column, or alters it by its new name: Alembic then
    looks for it by the name that it had before the block."""
    for one in side.all:
        if one.place.batch != side.dropped.place.batch:
            continue
        if isinstance(one, changes.CreateIndex) and not {old, new}.isdisjoint(one.columns):
            return True
        if isinstance(one, changes.AddConstraint) and not {old, new}.isdisjoint(one.constraint.columns):
            return True
        if isinstance(one, changes.AlterColumn) and one.column == new:
            return True
    return False


def _renamed_table(side: _Side, old: TableName, new: TableName) -> tuple[Edit, ...]:
    schema = [f"schema={side.text.quoted(old.schema)}"] if old.schema else []
    names = [side.text.quoted(old.name), side.text.quoted(new.name), *schema]
    return _replaced(side, f"rename_table({', '.join(names)})", old.name, new.name)


def _replaced(side: _Side, call: str, old: str, new: str) -> tuple[Edit, ...]:
    """The new call in place of one statement of the pair, and the other one gone with its line."""
    both = [side.dropped.place, side.added.place]
    if any(place.is_sql or place.is_conditional or place.in_autocommit or place.dialects != ANY for place in both):
        return ()
    calls = [place.call for place in both if place.call is not None]
    owners = {ast.unparse(one.func.value) for one in calls if isinstance(one.func, ast.Attribute)}
    if len(calls) != len(both) or both[0].batch != both[1].batch or len(owners) != 1:
        return ()
    source = side.text.source
    for one in calls:
        is_once = sum(other.place.call is one for other in side.all) == 1
        if not is_once or not statement_of(source, one):
            return ()
    if any(side.text.is_named_elsewhere(one, side.dropped.table.name) for one in calls):
        return ()
    calls.sort(key=lambda one: one.lineno)
    lines = [_said(side, calls, name) for name in (old, new)]
    for one, other in (calls, reversed(calls)):
        if all(line < one.lineno for line in lines[0]) and all(line > one.lineno for line in lines[1]):
            return (over(one, f"{owners.pop()}.{call}"), _gone(source, other))
    return ()  # something needs the old name after the new one is needed


def _said(side: _Side, pair: Sequence[ast.Call], name: str) -> list[int]:
    """The lines on which the function says a name, apart from the pair and from what is done to other tables."""
    table, passed = side.dropped.table, {(one.lineno, one.col_offset) for one in pair}
    for one in side.all if isinstance(side.dropped, DropColumn) else ():
        call, other = one.place.call, getattr(one, "table", table)
        if call is not None and other not in {None, table} and not one.place.is_sql:
            passed |= set() if any(_lines(call, set(), table.name)) else {(call.lineno, call.col_offset)}
    holder = next(one for one in side.text.module.body if pair[0].lineno <= (one.end_lineno or 0))
    return list(_lines(holder, passed, name))


def _lines(node: ast.AST, passed: set[tuple[int, int]], name: str) -> Iterator[int]:
    """Where a text or a name within the node says this word; not in `passed` calls, nor in docstrings."""
    for one in ast.iter_child_nodes(node):
        is_passed = isinstance(one, ast.Call) and (one.lineno, one.col_offset) in passed
        if is_passed or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            continue
        text = {ast.Constant: "value", ast.Name: "id", ast.Attribute: "attr"}.get(type(one))
        if text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(getattr(one, text)), re.IGNORECASE):
            yield getattr(one, "lineno", 0)
        yield from _lines(one, passed, name)


def _gone(source: str, call: ast.Call) -> Edit:
    """The edit that takes out the lines of a statement, with the line end before it."""
    begin = (call.lineno - 1, len(source_line(source, call.lineno - 1).encode()))
    last = call.end_lineno or call.lineno
    return Edit(*begin, last, len(source_line(source, last).encode()), "")
