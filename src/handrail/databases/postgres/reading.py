"""The session settings under which the catalog and the rows of a PostgreSQL database are read as text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from handrail.databases.postgres.quoting import Query, Rows, literal

#: Everything that a value's or a definition's text depends on. `search_path` makes PostgreSQL write all other names
#: with their schema; `row_security = off` makes a hidden row an error instead of a wrong count.
SETTINGS = {
    "search_path": "pg_catalog",
    "extra_float_digits": "1",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "lc_monetary": "C",
    "xmloption": "content",
    "row_security": "off",
    "quote_all_identifiers": "off",
    "max_parallel_workers_per_gather": "0",
}

_FETCHED = 1000
_numbers = itertools.count()


def pin(query: Query) -> str:
    """Set SETTINGS until the end of the transaction; returns the schema in which unqualified names are made."""
    schema = str(query("SELECT coalesce(current_schema(), 'public')::text")[0][0])
    query(
        "SELECT " + ", ".join(f"set_config({literal(key)}, {literal(value)}, true)" for key, value in SETTINGS.items())
    )
    return schema


def streamed(query: Query) -> Rows:
    """Reads many rows a thousand at a time, inside the transaction that the caller holds: a driver would hold all of
    them twice. Not for somebody else's session, whose driver may not like it."""
    # A cursor is planned for its first rows, unless told that all will be fetched.
    query("SET LOCAL cursor_tuple_fraction = 1")

    def rows(sql: str) -> Iterator[Sequence[Any]]:
        name = f"handrail_rows_{next(_numbers)}"
        query(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}")
        while found := query(f"FETCH {_FETCHED} FROM {name}"):
            yield from found
        query(f"CLOSE {name}")

    return rows


@contextmanager
def pinned(query: Query) -> Iterator[str]:
    """`pin` for a block inside somebody else's session, which is afterwards exactly as before.

    Inside a transaction a savepoint is rolled back, so neither settings nor the locks of reading remain; outside one
    the block gets its own read-only snapshot. Nothing is written in the block."""
    undo = _begin(query)
    try:
        yield pin(query)
    except BaseException:
        _undo(query, undo)
        raise
    _undo(query, undo)


def _undo(query: Query, undo: tuple[str, ...]) -> None:
    for statement in undo:
        query(statement)


def _begin(query: Query) -> tuple[str, ...]:
    try:
        query("SAVEPOINT handrail_reading")
    except Exception:  # whatever the driver's error class is: outside a transaction a savepoint is refused
        query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return ("ROLLBACK",)
    return ("ROLLBACK TO SAVEPOINT handrail_reading", "RELEASE SAVEPOINT handrail_reading")
