"""SQLite's part inside the process that runs Alembic, on the sqlite3 connection that env.py opened."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from handrail.databases.sqlite import catalog, digest, rows
from handrail.databases.sqlite.completeness import completeness
from handrail.databases.sqlite.pages import committed_pages
from handrail.databases.sqlite.unchanged import digests_of
from handrail.errors import BackupError, HandrailError
from handrail.facts import (
    AddedColumns,
    BrokenReference,
    ColumnCompleteness,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    RowWrites,
    SessionState,
)


class SqliteSessionGuard:
    """A SessionGuard on a plain sqlite3.Connection (the one below aiosqlite was opened for use by any thread).

    Nothing here begins or ends a transaction, and the connection's row and text factories are left as they were.
    """

    def __init__(self, raw: sqlite3.Connection, *, lock_timeout: float, version_table: str = "alembic_version") -> None:
        self._raw = raw
        self._lock_timeout = lock_timeout
        self._version_table = version_table

    def prepare(self) -> None:
        """Foreign keys off (with them on, batch mode's DROP TABLE deletes the child rows) and a bounded wait for locks.

        Raises HandrailError inside a transaction, where SQLite silently ignores `PRAGMA foreign_keys`.
        """
        cursor = rows.own_cursor(self._raw)
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute(f"PRAGMA busy_timeout={max(0, round(self._lock_timeout * 1000))}")
        if self._raw.in_transaction or cursor.execute("PRAGMA foreign_keys").fetchone() != (0,):
            raise HandrailError(
                "The connection of env.py is inside a transaction already.",
                why="SQLite ignores `PRAGMA foreign_keys=OFF` there, and batch mode would delete child rows.",
                hint="Let env.py hand a fresh connection to context.configure().",
            )

    def fingerprint(self, request: FingerprintRequest | None) -> Fingerprint:
        return digest.fingerprint(self._raw, request, version_table=self._version_table)

    def content(self) -> str:
        """The digest that a dump of the same content has, without reading rows."""
        with rows.plain_rows(self._raw), suppress(OSError, BackupError, sqlite3.Error):
            return digests_of(committed_pages(self._raw)).content
        return ""

    def facts(self) -> DatabaseFacts:
        with rows.as_text(self._raw, str):
            return catalog.facts(self._raw, version_table=self._version_table)

    def state(self) -> SessionState:
        with rows.as_text(self._raw, str):
            return SessionState(storage=catalog.storage(self._raw))

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        if not columns:
            return ()
        with rows.as_text(self._raw, str):
            return completeness(self._raw, columns)

    def broken_references(self) -> tuple[BrokenReference, ...]:
        with rows.as_text(self._raw, str):
            return catalog.broken_references(self._raw)

    def writes(self) -> tuple[RowWrites, ...]:
        return ()
