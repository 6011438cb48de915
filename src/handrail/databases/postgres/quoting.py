"""Writing names and values into SQL text that needs no parameters, for any driver.

The texts never hold a percent sign: drivers with %-style parameters read it even where no parameters are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from handrail.facts import TableName


class Query(Protocol):
    """Run one SQL text without parameters on one connection and return its rows (() when it has none)."""

    def __call__(self, sql: str, /) -> Sequence[Sequence[Any]]: ...


#: The same for many rows, which come one after the other; a Query is one.
Rows = Callable[[str], Iterable[Sequence[Any]]]


def identifier(name: str) -> str:
    """`name` as a quoted identifier; a NUL, which no identifier can hold, is refused."""
    _no_nul(name)
    quoted = name.replace('"', '""')
    if "%" not in name:
        return f'"{quoted}"'
    return 'U&"' + quoted.replace("\\", "\\\\").replace("%", "\\0025") + '"'


def literal(value: str) -> str:
    """`value` as a string literal that means the same whatever standard_conforming_strings is."""
    _no_nul(value)
    quoted = value.replace("'", "''")
    if "\\" not in value and "%" not in value:
        return f"'{quoted}'"
    return "E'" + quoted.replace("\\", "\\\\").replace("%", "\\x25") + "'"


def qualified(table: TableName, default_schema: str) -> str:
    """The table with its schema, so that no search_path changes what is meant."""
    return f"{identifier(table.schema or default_schema)}.{identifier(table.name)}"


def identifiers(names: Iterable[str]) -> str:
    return ", ".join(identifier(name) for name in names)


def _no_nul(text: str) -> None:
    if "\0" in text:
        raise ValueError("a NUL cannot be part of SQL text")
