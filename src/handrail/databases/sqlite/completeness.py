"""How added columns were filled, counted by SQLite: NULLs, and values that are not the column's default."""

from __future__ import annotations

import re
import sqlite3

from handrail.databases.sqlite.catalog import quoted
from handrail.databases.sqlite.rows import own_cursor
from handrail.facts import AddedColumns, ColumnCompleteness, TableName

#: A default that is one literal. Everything else may give another value each time, or means a name.
_CONSTANT = re.compile(r"x?'(?:[^']|'')*'|[+-]?\d[\w.]*(?:(?<=e)[+-]\d+)?|true|false", re.IGNORECASE)


def completeness(raw: sqlite3.Connection, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
    """One scan for each table. The connection reads text as str."""
    found: list[ColumnCompleteness] = []
    for table, names in sorted(columns.items()):
        rows = own_cursor(raw).execute(f"PRAGMA table_xinfo({quoted(table.name)})").fetchall()
        defaults = {str(row[1]): None if row[4] is None else str(row[4]) for row in rows}
        known = {name: defaults[name] for name in names if name in defaults}
        if known:
            found += _measured(raw, table, known)
    return tuple(found)


def _measured(raw: sqlite3.Connection, table: TableName, defaults: dict[str, str | None]) -> list[ColumnCompleteness]:
    counts = ["count(*)"]
    for name, default in defaults.items():
        column = quoted(name)
        counts.append(f"total({column} IS NULL)")
        counts.append(f"total({column} IS NOT {_literal(default)} COLLATE BINARY)" if _is_constant(default) else "0")
    sql = f"SELECT {', '.join(counts)} FROM {quoted(table.name)}"  # noqa: S608 - quoted, and literals of the schema
    rows, *numbers = (int(number) for number in own_cursor(raw).execute(sql).fetchone())
    return [
        ColumnCompleteness(table, name, rows, nulls, others if _is_constant(defaults[name]) else None)
        for name, nulls, others in zip(defaults, numbers[::2], numbers[1::2], strict=True)
    ]


def _literal(default: str | None) -> str:
    """`IS NOT TRUE` would ask for truth, which 5 has too, and not for the value 1 that SQLite stores."""
    text = str(default)
    return {"true": "1", "false": "0"}.get(text.casefold(), text)


def _is_constant(default: str | None) -> bool:
    return default is not None and _CONSTANT.fullmatch(default) is not None
