"""The arguments of the `alter_column` that takes another one back."""

from __future__ import annotations

import ast
from typing import Final

from handrail.lint.script_text import ScriptText
from handrail.migrations.changes import AlterColumn
from handrail.migrations.types import TypeText

#: Types between which PostgreSQL goes both ways without USING, and refuses a value that does not fit.
_TEXTS: Final = frozenset({"varchar", "text"})
_NUMBERS: Final = frozenset({"smallint", "integer", "bigint"})
_SAID: Final = ("existing_type", "existing_nullable", "existing_server_default", "existing_comment")
#: What is changed, and which argument says what it was.
_BEFORE: Final = {
    "type_": "existing_type",
    "nullable": "existing_nullable",
    "server_default": "existing_server_default",
    "comment": "existing_comment",
}
_UNDERSTOOD: Final = frozenset({*_BEFORE, *_SAID, "table_name", "column_name", "new_column_name", "name", "schema"})


def alter_back(script: ScriptText, change: AlterColumn) -> dict[str, str] | str:
    """The arguments by name, after table and column, none where nothing changes; or in words why it cannot be done."""
    column = f"{change.table}.{change.column}"
    back = {} if change.new_name is None else {"new_column_name": script.quoted(change.column)}
    if change.place.is_sql or change.place.call is None:
        is_rename = change.new_name is not None
        return back if is_rename else f"the script does not say what {column} was before"
    words = {word.arg or "**": word.value for word in change.place.call.keywords}
    unclear = sorted(words.keys() - _UNDERSTOOD)
    if unclear:
        return f"what {', '.join(unclear)}= does to {column} cannot be taken back by what the script says"
    if "type_" in words and (change.type is None or not is_both_ways(change.existing_type, change.type)):
        return f"the type of {column} changes, and not every new value is one of the old type"
    found = _values_back(script, words, back)
    if found is None:
        return f"the script does not say what {column} was before"
    return found if found.keys() & {*_BEFORE, "new_column_name"} else {}


def _values_back(script: ScriptText, words: dict[str, ast.expr], back: dict[str, str]) -> dict[str, str] | None:
    """The changed parts with their old values; those that stay as the script tells of them."""
    for changed, before in _BEFORE.items():
        new, old = words.get(changed), words.get(before)
        if new is None or (changed == "server_default" and _is(new, False)):
            text = script.text_of(old) if old is not None else ""
            back |= {before: text} if text else {}
        else:
            text, is_text = script.text_of(old), script.text_of(new)
            if text is None or is_text is None or (changed == "server_default" and _is(old, False)):
                return None
            back |= {before: is_text, changed: text}
    return back


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def is_both_ways(old: TypeText | None, new: TypeText) -> bool:
    """Whether a column can go from `new` back to `old`, and a value that does not fit is refused, never changed."""
    if old is None or old.variants or new.variants:
        return False
    names = {old.name, new.name}
    if len(names) == 1 and new.name == "numeric":
        return old.arguments[1:] == new.arguments[1:] and bool(old.arguments) and bool(new.arguments)
    return names <= _TEXTS or names <= _NUMBERS
