"""Being the only handrail run on a database: a session advisory lock, released by the death of this process."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from handrail.databases.postgres.connection import maintenance
from handrail.databases.postgres.quoting import Query
from handrail.databases.postgres.sessions import application_name
from handrail.errors import LockNotObtained
from handrail.facts import DatabaseAddress, TableName

_POLL_SECONDS = 0.1


@contextmanager
def hold_lock(address: DatabaseAddress, version_table: TableName, run_id: str, wait: float) -> Iterator[None]:
    """Hold the lock of (database, version table). It is taken in the maintenance database, so that the session neither
    hinders renaming the database nor is ended by it."""
    key = _key(address.database, version_table)
    with maintenance(address, application_name(run_id)) as query:
        query("SET idle_session_timeout = 0") if _knows_idle_timeout(query) else None
        _obtain(query, key, address, wait)
        try:
            yield
        finally:
            query(f"SELECT pg_advisory_unlock({key})")


def _obtain(query: Query, key: int, address: DatabaseAddress, wait: float) -> None:
    deadline = time.monotonic() + wait
    while not query(f"SELECT pg_try_advisory_lock({key})")[0][0]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise LockNotObtained(
                f"Another handrail run holds {address}: {_holder(query, key)}.",
                why=f"Waited {wait:g} seconds for it to end.",
                hint="Wait for it, or end its process; `handrail status` shows it.",
            )
        time.sleep(min(_POLL_SECONDS, left))


def _holder(query: Query, key: int) -> str:
    rows = query(
        "SELECT a.pid, a.application_name, a.client_addr::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        f" AND l.classid::bigint = {(key >> 32) & 0xFFFFFFFF} AND l.objid::bigint = {key & 0xFFFFFFFF}"
    )
    if not rows:
        return "it has just ended"
    pid, application, client = rows[0]
    return f"{application or 'unnamed'} (server pid {pid}" + (f", from {client})" if client else ")")


def _knows_idle_timeout(query: Query) -> bool:
    return bool(query("SELECT 1 FROM pg_settings WHERE name = 'idle_session_timeout'"))


def _key(database: str, version_table: TableName) -> int:
    text = "\0".join(("handrail", database, version_table.schema or "", version_table.name))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
