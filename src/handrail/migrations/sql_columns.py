"""Reads column definitions and table constraints as they stand in CREATE TABLE and ALTER TABLE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from handrail.facts import TableName
from handrail.migrations.changes import ConstraintKind, ConstraintText
from handrail.migrations.columns import ColumnText
from handrail.migrations.sql_words import Cursor, Word, parts, written
from handrail.migrations.types import TypeText, named

#: Words that begin a constraint of a column, and so end its type or its default.
_ENDS = ("NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "REFERENCES", "CHECK", "GENERATED", "COLLATE", "CONSTRAINT")
_STARTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"}
_AFTER_NAME = {"ASC", "DESC", "NULLS", "COLLATE"}
_SERIALS = {"serial", "bigserial", "smallserial"}


def table_name(found: tuple[str, ...]) -> TableName | None:
    """A table by its dotted name; a database before the schema is left out."""
    if not found:
        return None
    return TableName(found[-1], found[-2] if len(found) > 1 else None)


def names(words: Sequence[Word]) -> tuple[str, ...]:
    """The columns of a list; an expression stays text."""
    found = []
    for part in parts(words):
        first = part[0]
        is_name = first.kind in {"name", "word"} and (len(part) == 1 or part[1].key in _AFTER_NAME)
        found.append((first.text if first.kind == "name" else first.text.lower()) if is_name else written(part))
    return tuple(found)


def is_constraint(words: Sequence[Word]) -> bool:
    """Whether an element of CREATE TABLE is a constraint, not a column."""
    return bool(words) and words[0].key in _STARTS


def read_sql_type(words: Sequence[Word]) -> TypeText | None:
    """A type like `varchar(50)`, `timestamp with time zone`, `"my type"[]`."""
    cursor, word_parts, sizes = Cursor(words), [], []
    while not cursor.is_done:
        if inner := cursor.parentheses():
            sizes += [int(word.text) for word in inner if word.kind == "number" and word.text.isdigit()]
            continue
        word = cursor.next()
        if word is not None and word.kind in {"word", "name"}:
            word_parts.append(word.text)
        elif word is not None and word.key == "[":
            word_parts.append("[]")
    if not word_parts:
        return None
    text = "".join(word_parts) if len(word_parts) == 1 or word_parts[-1] == "[]" else " ".join(word_parts)
    return TypeText(named(text), tuple(sizes), written(words))


@dataclass(slots=True)
class _Traits:
    """What the constraints of a column definition say."""

    nullable: bool = True
    default: str | None = None
    filled: str = ""
    is_primary_key: bool = False
    is_unique: bool = False
    references: TableName | None = None
    on_delete: str = ""
    checks: list[str] = field(default_factory=list)

    def read(self, cursor: Cursor) -> None:
        """The next constraint; a word that begins none is passed over."""
        if cursor.take("NOT", "NULL"):
            self.nullable = False
        elif cursor.take("DEFAULT"):
            first = cursor.next()
            self.default = written(([first] if first else []) + cursor.until(*_ENDS))
        elif cursor.take("PRIMARY", "KEY"):
            self.is_primary_key, self.nullable = True, False
        elif cursor.take("UNIQUE"):
            self.is_unique = True
        else:
            self._read_longer(cursor)

    def _read_longer(self, cursor: Cursor) -> None:
        if cursor.take("REFERENCES"):
            self.references = table_name(cursor.dotted())
            self.on_delete = _on_delete(cursor)
        elif cursor.take("CHECK"):
            self.checks.append(written(cursor.parentheses()))
        elif cursor.take("GENERATED"):
            self.filled = _generated(cursor)
        else:
            cursor.next()


def read_column_definition(words: Sequence[Word]) -> tuple[ColumnText | None, list[ConstraintText]]:
    """A column and the constraints written in it that are more than NOT NULL."""
    cursor = Cursor(words)
    name = cursor.name()
    if name is None:
        return None, []
    sql_type = read_sql_type(cursor.until(*_ENDS))
    traits = _Traits(filled="serial" if sql_type is not None and sql_type.name in _SERIALS else "")
    while not cursor.is_done:
        traits.read(cursor)
    default = traits.default if traits.default is not None and traits.default.upper() != "NULL" else None
    column = ColumnText(
        name=name,
        type="" if sql_type is None else sql_type.text,
        type_name="" if sql_type is None else sql_type.name,
        labels=(),
        nullable=traits.nullable and not traits.filled,
        server_default=default or traits.filled or None,
        python_default=None,
        sql_type=sql_type,
        filled_by=traits.filled,
        references=traits.references,
        on_delete=traits.on_delete,
        is_unique=traits.is_unique,
        is_primary_key=traits.is_primary_key,
    )
    checks = [ConstraintText(ConstraintKind.CHECK, None, (name,), condition=text) for text in traits.checks]
    return column, checks


def _generated(cursor: Cursor) -> str:
    cursor.until("AS")
    cursor.take("AS")
    if cursor.take("IDENTITY"):
        cursor.parentheses()
        return "identity"
    cursor.parentheses()
    return "computed" if cursor.take("STORED") else "computed virtual"


def _on_delete(cursor: Cursor) -> str:
    """Goes past the columns and the actions of a reference; what ON DELETE says."""
    cursor.parentheses()
    found = ""
    while cursor.take("ON"):
        which = cursor.any_of("DELETE", "UPDATE")
        words = [cursor.any_of("CASCADE", "RESTRICT", "SET", "NO")]
        if words[0] in {"SET", "NO"}:
            words.append(cursor.any_of("NULL", "DEFAULT", "ACTION"))
        if which == "DELETE":
            found = " ".join(words)
    return found


_KINDS = (
    (("PRIMARY", "KEY"), ConstraintKind.PRIMARY_KEY),
    (("UNIQUE",), ConstraintKind.UNIQUE),
    (("CHECK",), ConstraintKind.CHECK),
    (("FOREIGN", "KEY"), ConstraintKind.FOREIGN_KEY),
    (("EXCLUDE",), ConstraintKind.EXCLUDE),
    (("NOT", "NULL"), ConstraintKind.NOT_NULL),
)


def read_constraint(words: Sequence[Word]) -> ConstraintText:
    """A table constraint: `CONSTRAINT name CHECK (…) NOT VALID`."""
    cursor = Cursor(words)
    name = cursor.name() if cursor.take("CONSTRAINT") else None
    kind = next((one for keys, one in _KINDS if cursor.take(*keys)), ConstraintKind.UNKNOWN)
    cursor.take("NULLS", "NOT", "DISTINCT")
    found = ConstraintText(kind, name)
    if cursor.take("USING", "INDEX"):
        found = replace(found, using_index=cursor.name())
    elif kind is ConstraintKind.CHECK:
        found = replace(found, condition=written(cursor.parentheses()))
    elif kind is ConstraintKind.NOT_NULL:
        found = replace(found, columns=tuple(filter(None, [cursor.name()])))
    elif kind is not ConstraintKind.EXCLUDE:
        found = replace(found, columns=names(cursor.parentheses()))
    if cursor.take("REFERENCES"):
        table, at = table_name(cursor.dotted()), cursor.at
        columns = names(cursor.parentheses())
        cursor.at = at
        found = replace(found, references=table, referenced=columns, on_delete=_on_delete(cursor))
    rest = [word.key for word in cursor.rest()]
    return replace(found, is_checked=("NOT", "VALID") not in pairwise(rest))
