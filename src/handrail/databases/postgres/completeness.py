"""How added columns were filled, counted by the server: NULLs, and values that are not the column's default."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import re

from handrail.databases.postgres.quoting import Query, identifier, literal, qualified
from handrail.facts import AddedColumns, ColumnCompleteness, TableName

#: What pg_get_expr writes for a constant. Everything else may give another value each time it is asked.
_CONSTANT = re.compile(r"""\(?(?:'(?P<text>(?:[^']|'')*)'|(?P<plain>-?\d[\d.]*|true|false))\)?(?:::[\w ."\[\](),]+)?""")


def completeness(query: Query, columns: AddedColumns, *, default_schema: str) -> tuple[ColumnCompleteness, ...]:
    """One scan for each table. The caller has set `reading.SETTINGS`."""
    found: list[ColumnCompleteness] = []
    for table, names in sorted(columns.items()):
        where = qualified(table, default_schema)
        constants = _constants(query, table, default_schema)
        known = [name for name in names if name in constants]
        if known:
            found += _measured(query, table, where, {name: constants[name] for name in known})
    return tuple(found)


def _measured(query: Query, table: TableName, where: str, constants: dict[str, str | None]) -> list[ColumnCompleteness]:
    """Values are compared by their text, since not every type can be compared (json)."""
    counts = ["count(*)"]
    for name, constant in constants.items():
        column = identifier(name)
        counts.append(f"count(*) FILTER (WHERE {column} IS NULL)")
        differs = f'{column}::text COLLATE "C" IS DISTINCT FROM ({constant})::text COLLATE "C"'
        counts.append("0" if constant is None else f"count(*) FILTER (WHERE {differs})")
    rows, *numbers = (int(number) for number in query(f"SELECT {', '.join(counts)} FROM ONLY {where}")[0])
    return [
        ColumnCompleteness(table, name, rows, nulls, None if constants[name] is None else others)
        for name, nulls, others in zip(constants, numbers[::2], numbers[1::2], strict=True)
    ]


def _constants(query: Query, table: TableName, default_schema: str) -> dict[str, str | None]:
    """For each column its default as a value of the column's type; None without a constant default."""
    rows = query(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)"
        " FROM pg_attribute a"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relname = {literal(table.name)} AND n.nspname = {literal(table.schema or default_schema)}"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    return {name: _constant(kind, default or "") for name, kind, default in rows}


def _constant(kind: str, default: str) -> str | None:
    match = _CONSTANT.fullmatch(default)
    if match is None or "%" in kind:
        return None
    text = match["text"]
    value = match["plain"] if text is None else literal(text.replace("''", "'"))
    return f"CAST({value} AS {kind})"
