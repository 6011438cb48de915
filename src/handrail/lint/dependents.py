"""What depends on a column by the database's catalog: a new column that is to take its place would have to carry it."""

from __future__ import annotations

import re

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, SchemaObject, TableName

_DEFAULT_SCHEMAS = {None, "public", "main"}


def dependents(facts: DatabaseFacts, table: TableName, column: str) -> tuple[str, ...]:
    """ "index ix_seats", "view v", "column total" …: what names the column in its definition, every trigger of the
    table, whose function may read it, and what else hangs on it (`ColumnFacts.carries`, where that was looked up)."""
    depending = [one for one in facts.objects if _depends(one, table, column)]
    keys = {one.name for one in depending if one.kind is ObjectKind.CONSTRAINT}  # whose index goes with them
    found = [f"{one.kind} {one.name}" for one in depending if one.kind is not ObjectKind.INDEX or one.name not in keys]
    known = facts.table(table) or facts.table(TableName(table.name))
    for other in known.columns if known is not None else ():
        if other.generated and other.name != column and _names(other.default or "", column):
            found.append(f"column {other.name}")
        if other.name == column:
            found += _of_column(other)
    return tuple(dict.fromkeys(found))


def _of_column(known: ColumnFacts) -> list[str]:
    found = list(known.carries or ())
    if "nextval(" in (known.default or "") and not any(one.startswith("sequence ") for one in found):
        found.append(f"sequence of {known.name}")
    if known.collation is not None:
        found.append(f"collation {known.collation}")
    if known.not_null_unchecked is not None:
        found.append(f"constraint {known.not_null_unchecked}")
    return found


def _depends(one: SchemaObject, table: TableName, column: str) -> bool:
    is_of_table = one.table is not None and _is_same(one.table, table)
    if one.kind is ObjectKind.TRIGGER:
        return is_of_table
    if one.kind is ObjectKind.VIEW:
        return _names(one.definition, table.name) and _names(one.definition, column)
    if one.kind in {ObjectKind.INDEX, ObjectKind.CONSTRAINT}:
        if is_of_table and _names(one.definition.partition(" REFERENCES ")[0], column):
            return True
        referenced = one.definition.partition(" REFERENCES ")[2]
        return _names(referenced.partition("(")[0], table.name) and _names(referenced.partition("(")[2], column)
    return False


def _is_same(one: TableName, other: TableName) -> bool:
    return one.name == other.name and (one.schema == other.schema or {one.schema, other.schema} <= _DEFAULT_SCHEMAS)


def _names(definition: str, word: str) -> bool:
    """Whether a piece of SQL has this name in it."""
    return re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", definition) is not None
