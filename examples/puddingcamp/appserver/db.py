"""The async engine: aiosqlite on a file, psycopg on PostgreSQL. No FastAPI here, so that migrations start quickly."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def async_url(text: str) -> URL:
    """The same database by its async driver, whatever driver the text names; `postgres://` is read as `postgresql://`."""
    scheme, separator, rest = text.partition("://")
    backend, _, driver = scheme.partition("+")
    if backend == "postgres":
        text = f"postgresql{'+' if driver else ''}{driver}{separator}{rest}"
    url = make_url(text)
    name = url.get_backend_name()
    if name not in _ASYNC_DRIVERS:
        raise ValueError(f"appserver runs on SQLite and PostgreSQL, not on {name}")
    return url.set(drivername=_ASYNC_DRIVERS[name])


def make_engine(database_url: str) -> AsyncEngine:
    """An engine that has not connected yet; whoever makes it disposes of it."""
    url = async_url(database_url)
    if url.get_backend_name() == "postgresql":
        # Statements prepared before a migration may fail after it ("cached plan must not change result type").
        return create_async_engine(url, pool_pre_ping=True, connect_args={"prepare_threshold": None})
    engine = create_async_engine(url)
    event.listen(engine.sync_engine, "connect", _enforce_foreign_keys)
    return engine


def _enforce_foreign_keys(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
