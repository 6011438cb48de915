"""Reads the markers by which a script declares what its raw SQL means to change: `handrail: changes bookings.topic`."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from handrail.facts import TableName
from handrail.migrations.operations import SourcePosition

VERBS = ("changes", "drops")
#: Comments for lint, which reads them itself.
_FOR_LINT = ("ignore", "ignore-file")
EXAMPLE = "# handrail: changes bookings.topic, users"
_START = re.compile(r"\s*handrail\b(\s*:)?\s*(.*)", re.IGNORECASE | re.DOTALL)
_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$-]*)|(\*))\s*')


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a declared name: a whole table, or a column of one."""

    table: TableName
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared name. `parts` are its words as written (`schema.table.*` keeps the star out and is whole).

    `may_vanish` is True for `drops`; `changes` lets values, rows and attributes change, not the thing itself go.
    """

    parts: tuple[str, ...]
    position: SourcePosition
    is_whole: bool = False
    may_vanish: bool = False

    def readings(self) -> tuple[Reading, ...]:
        """What the name may mean, most likely first; the database's catalog decides (`a.b` is a column or a table)."""
        if len(self.parts) == 1:
            return (Reading(TableName(self.parts[0])),)
        first, second = self.parts[0], self.parts[1]
        if len(self.parts) == 3:
            return (Reading(TableName(second, first), self.parts[2]),)
        whole = (Reading(TableName(second, first)), Reading(TableName(second)) if first in {"public", "main"} else None)
        tables = tuple(reading for reading in whole if reading is not None)
        return tables if self.is_whole else (Reading(TableName(first), second), *tables)


@dataclass(frozen=True, slots=True)
class MalformedMarker:
    """A marker that cannot be read; `reason` says what is wrong and how to write it."""

    position: SourcePosition
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that one script declares; it holds for its upgrade and its downgrade."""

    tables: tuple[Declared, ...] = ()
    malformed: tuple[MalformedMarker, ...] = ()


def read_declaration(source: str, path: str = "") -> Declaration:
    """Read the markers in comments and docstrings. A text that is not Python declares nothing."""
    if "handrail" not in source.lower():
        return Declaration()
    declared: list[Declared] = []
    malformed: list[MalformedMarker] = []
    for line, text in _marked_lines(source):
        position = SourcePosition(path, line)
        result = _read_marker(text, position)
        if isinstance(result, MalformedMarker):
            malformed.append(result)
        else:
            declared.extend(result)
    return Declaration(tuple(declared), tuple(malformed))


def marker(table: TableName, column: str | None = None, *, verb: str = "changes") -> str:
    """The comment line that declares a change, ready to be pasted."""
    parts = [part for part in (table.schema, table.name, column) if part is not None]
    if table.schema is not None and column is None:
        return f"# handrail: {verb} {_quoted(table.schema)}.{_quoted(table.name)}.*"
    return f"# handrail: {verb} " + ".".join(_quoted(part) for part in parts)


def _quoted(part: str) -> str:
    match = _PART.fullmatch(part)
    plain = match is not None and match.group(2) == part
    return part if plain else '"' + part.replace('"', '""') + '"'


def _marked_lines(source: str) -> Iterator[tuple[int, str]]:
    try:
        module = ast.parse(source)
        comments = [
            (token.start[0], token.string.lstrip("#!: "))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return
    found = [*comments, *_docstring_lines(module)]
    for line, text in sorted(found):
        match = _START.match(text)
        if match and (match.group(1) or match.group(2).lower().startswith(VERBS)):
            yield line, text.strip()


def _docstring_lines(module: ast.Module) -> Iterator[tuple[int, str]]:
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    for body in (module.body, *(function.body for function in functions)):
        first = body[0] if body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            yield from enumerate(first.value.value.splitlines(), start=first.lineno)


def _read_marker(text: str, position: SourcePosition) -> list[Declared] | MalformedMarker:
    match = _START.match(text)
    words = match.group(2).strip() if match else ""
    verb, _, names = words.partition(" ")
    if match is None or not match.group(1):
        return MalformedMarker(position, text, f"the colon after 'handrail' is missing; write: {EXAMPLE}")
    if verb.lower() in _FOR_LINT:
        return []
    if verb.lower() not in VERBS:
        return MalformedMarker(position, text, f"'{verb}' is not one of {', '.join(VERBS)}; write: {EXAMPLE}")
    if not names.strip():
        return MalformedMarker(position, text, f"it names no table; write: {EXAMPLE}")
    return _read_names(names, position, text, may_vanish=verb.lower() == "drops")


def _read_names(
    names: str, position: SourcePosition, text: str, *, may_vanish: bool
) -> list[Declared] | MalformedMarker:
    declared: list[Declared] = []
    at = 0
    while at < len(names):
        parts, at = _read_name(names, at)
        is_whole = len(parts) > 1 and parts[-1] == "*"
        plain = parts[:-1] if is_whole else parts
        if not plain or len(plain) > 3 or None in plain or "*" in plain:
            return MalformedMarker(position, text, f"a name in '{names.strip()}' cannot be read; write: {EXAMPLE}")
        name = tuple(part.removeprefix("=") for part in plain if part is not None)
        # `schema.table.*` and `table.*` are whole tables; a single word always is.
        declared.append(Declared(name, position, is_whole=is_whole, may_vanish=may_vanish))
        if at < len(names) and names[at] != ",":
            return MalformedMarker(position, text, f"a comma is missing in '{names.strip()}'; write: {EXAMPLE}")
        at += 1
    return declared


def _read_name(names: str, at: int) -> tuple[list[str | None], int]:
    """The dotted name at a place: its parts ("*" for a star, "=text" for a quoted one) and where it ended."""
    parts: list[str | None] = []
    while True:
        match = _PART.match(names, at)
        if match is None:
            return [*parts, None], at
        quoted, plain, star = match.groups()
        parts.append("=" + quoted.replace('""', '"') if quoted is not None else (plain or star))
        at = match.end()
        if at >= len(names) or names[at] != ".":
            return parts, at
        at += 1
