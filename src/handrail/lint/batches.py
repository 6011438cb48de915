"""What the rules about SQLite share: batch blocks, constraints that the catalog knows, defaults, types by affinity."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from handrail.facts import ColumnFacts, ObjectKind, SchemaObject, TableName
from handrail.lint.change_rule import Around
from handrail.migrations import changes
from handrail.migrations.changes import Batch, Change
from handrail.migrations.columns import ColumnText
from handrail.migrations.types import TypeText, named
from handrail.migrations.values import call_name

_REFERENCES = re.compile(r'\bREFERENCES\s+(?:"((?:[^"]|"")+)"|`([^`]+)`|\[([^\]]+)\]|(\w+))', re.IGNORECASE)
_CLOCK: Final = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})
_CALL = re.compile(r"\w+\s*\(.*\)", re.DOTALL)
_CONSTANT = re.compile(r"[-+]?\s*[\d.]+|'(?:[^']|'')*'|true|false|null", re.IGNORECASE)


def same(one: str | None, other: str | None) -> bool:
    """Whether two names mean the same thing to SQLite."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def in_block(around: Around, batch: Batch) -> Sequence[Change]:
    """The changes that stand in a batch block."""
    return [one for one in around.all if one.place.batch == batch.number and not isinstance(one, Batch)]


def copied_by(around: Around) -> Batch | None:
    """The batch block around the change, when it copies the table on SQLite."""
    number = around.change.place.batch
    blocks = (one for one in around.all if isinstance(one, Batch) and one.number == number)
    return next((one for one in blocks if number and one.is_copied), None)


def things(around: Around, kind: ObjectKind, table: TableName | None = None) -> Iterator[SchemaObject]:
    """What the catalog knows of this kind, on a table if one is given."""
    known = around.context.facts
    for thing in known.objects if known is not None else ():
        if thing.kind is kind and (table is None or (thing.table and same(thing.table.name, table.name))):
            yield thing


def referenced(definition: str) -> str:
    """The table that a foreign key's definition points to; "" when it is none."""
    found = _REFERENCES.search(definition)
    return "" if found is None else next(filter(None, found.groups()), "").replace('""', '"')


def column_facts(around: Around, table: TableName, column: str) -> ColumnFacts | None:
    """What the catalog says of a column."""
    found = around.facts(table)
    return next((one for one in found.columns if same(one.name, column)), None) if found is not None else None


def type_before(around: Around, change: changes.AlterColumn) -> TypeText | None:
    """The type that a column has before the change: as the catalog knows it, else as the script says."""
    facts = column_facts(around, change.table, change.column)
    if facts is not None:
        return TypeText(named(facts.type.partition("(")[0].strip()), text=facts.type)
    return change.existing_type


def is_stored(column: ColumnText) -> bool:
    """Whether it is a generated column whose value is stored."""
    if column.call is None:
        return column.filled_by == "computed"
    calls = (node for node in ast.walk(column.call) if isinstance(node, ast.Call) and call_name(node) == "Computed")
    words = (word for call in calls for word in call.keywords if word.arg == "persisted")
    return any(isinstance(word.value, ast.Constant) and word.value.value is True for word in words)


def has_computed_default(column: ColumnText) -> bool:
    """Whether the default is one that SQLite works out for each row: the clock, a function, an expression."""
    text = (column.server_default or "").strip()
    if column.filled_by or not text or _CONSTANT.fullmatch(text):
        return False
    if text.upper() in _CLOCK:
        return True
    if text.startswith("(") and text.endswith(")"):
        return not _CONSTANT.fullmatch(text.strip("() "))
    return bool(_CALL.fullmatch(text)) and _is_written(column.call)


def _is_written(call: ast.Call | None) -> bool:
    """Whether the default is SQL that the script spells out, not what a function of the project returns."""
    for word in call.keywords if call is not None else ():
        if word.arg == "server_default" and isinstance(word.value, ast.Call):
            is_sql = call_name(word.value) in {"text", "literal_column", "DefaultClause"}
            return is_sql or "func." in ast.unparse(word.value.func)
    return True


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def mentions(sql: str, name: str) -> bool:
    """Whether a piece of SQL has this name in it."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql, re.IGNORECASE) is not None
