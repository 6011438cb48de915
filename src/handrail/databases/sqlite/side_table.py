"""One table of a restored copy, brought beside the live one, and the two compared."""

# ruff: noqa: S608 - every name goes through `quoted`

from __future__ import annotations

import sqlite3
from pathlib import Path

from handrail.databases.database import SideTable
from handrail.databases.sqlite.catalog import quoted
from handrail.databases.sqlite.connection import connect, translated
from handrail.databases.sqlite.rows import own_cursor
from handrail.errors import UsageError


def bring(copy: Path, live: Path, table: str, name: str) -> SideTable:
    """Make the table `name` in the live file and fill it with the copy's rows, in one transaction."""
    with translated(live):
        raw = connect(live)
        try:
            cursor = own_cursor(raw)
            cursor.execute("ATTACH ? AS handrail_copy", (str(copy),))
            cursor.execute("BEGIN IMMEDIATE")
            types = _types(cursor, "handrail_copy", table)
            if _types(cursor, "main", name):
                raise UsageError(f"the table {name} is there already", hint="choose another name: --into NAME")
            if not types:
                raise UsageError(f"the backup has no table {table}", hint="handrail backup show lists its tables")
            names = ", ".join(map(quoted, types))
            key = ", ".join(map(quoted, _key(cursor, "handrail_copy", table)))
            definitions = [*types.values(), *([f"PRIMARY KEY ({key})"] if key else [])]
            cursor.execute(f"CREATE TABLE main.{quoted(name)} ({', '.join(definitions)})")
            cursor.execute(
                f"INSERT INTO main.{quoted(name)} ({names}) SELECT {names} FROM handrail_copy.{quoted(table)}"
            )
            found = _compare(cursor, table, name, list(types))
            cursor.execute("COMMIT")
        finally:
            raw.close()
    return found


def _types(cursor: sqlite3.Cursor, schema: str, table: str) -> dict[str, str]:
    """Columns as they are defined, without their constraints; none for a table that is not there."""
    rows = cursor.execute(f"PRAGMA {schema}.table_xinfo({quoted(table)})").fetchall()
    return {str(row[1]): f"{quoted(str(row[1]))} {row[2]}" for row in rows if row[6] != 1}


def _key(cursor: sqlite3.Cursor, schema: str, table: str) -> list[str]:
    rows = cursor.execute(f"PRAGMA {schema}.table_xinfo({quoted(table)})").fetchall()
    return [str(row[1]) for row in sorted(rows, key=lambda row: int(row[5])) if row[5]]


def _compare(cursor: sqlite3.Cursor, table: str, name: str, columns: list[str]) -> SideTable:
    """How the live table differs, by its primary key; without one only rows are counted."""

    def count(sql: str) -> int:
        return int(cursor.execute(f"SELECT count(*) FROM {sql}").fetchone()[0])

    side, live = f"main.{quoted(name)}", f"main.{quoted(table)}"
    both = _types(cursor, "main", table)
    if not both:
        return SideTable(name, count(side), None)
    key = _key(cursor, "main", table)
    if not key or not set(key) <= set(columns):
        return SideTable(name, count(side), count(live))
    same = " AND ".join(f"a.{quoted(column)} IS b.{quoted(column)}" for column in key)
    values = [quoted(column) for column in columns if column in both and column not in key]
    differs = " OR ".join(f"a.{value} IS NOT b.{value}" for value in values) or "0"
    lost = f"{side} a WHERE NOT EXISTS (SELECT 1 FROM {live} b WHERE {same})"
    new = f"{live} a WHERE NOT EXISTS (SELECT 1 FROM {side} b WHERE {same})"
    changed = f"{side} a JOIN {live} b ON {same} WHERE {differs}"
    return SideTable(name, count(side), count(live), count(lost), count(new), count(changed))
