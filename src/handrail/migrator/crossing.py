"""Cursors for a SQLite project that runs on PostgreSQL: what its code says to SQLite alone, PRAGMA, does nothing."""

from __future__ import annotations

from typing import Any

import psycopg

_NOTHING = "SELECT NULL WHERE false"


class Cursor(psycopg.Cursor[Any]):
    """A psycopg cursor that reads PRAGMA as a query without rows."""

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Cursor:
        super().execute(_without_pragma(query), *arguments, **options)
        return self


class AsyncCursor(psycopg.AsyncCursor[Any]):
    """The same for async connections."""

    async def execute(self, query: Any, *arguments: Any, **options: Any) -> AsyncCursor:
        await super().execute(_without_pragma(query), *arguments, **options)
        return self


def _without_pragma(query: Any) -> Any:
    is_pragma = isinstance(query, str) and query.lstrip()[:6].upper() == "PRAGMA"
    return _NOTHING if is_pragma else query
