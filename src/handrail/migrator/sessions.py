"""The transaction in which scripts run, as each engine needs it: opened where env.py left off, ended only by us."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from handrail.databases.database import SessionGuard
from handrail.errors import HandrailError, LockNotObtained, ProjectError
from handrail.facts import HeldLock, TableName
from handrail.migrator.channel import Channel
from handrail.migrator.migrator import Limits

Query = Callable[[str], Sequence[Sequence[Any]]]


class LockingGuard(SessionGuard, Protocol):
    """A guard of an engine with concurrent writers."""

    def lock(self, locks: Iterable[HeldLock]) -> None:
        """Take these locks, in this order, until the transaction ends."""
        ...


#: Make the engine's guard, from the raw sqlite3.Connection or from a function that runs one SQL text.
SqliteGuards = Callable[[sqlite3.Connection, Limits, TableName], SessionGuard]
PostgresGuards = Callable[[Query, Limits, TableName], LockingGuard]

_HOLDERS = """
    SELECT DISTINCT a.pid, a.application_name, a.state, l.relation::pg_catalog.regclass::pg_catalog.text
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
    JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm')
    WHERE l.granted AND l.locktype = 'relation' AND a.pid <> pg_catalog.pg_backend_pid() AND c.oid >= 16384
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY 1, 4
"""
_LOCK_STATES = frozenset({"55P03", "40P01"})


class Session(Protocol):
    """One connection of env.py, made ready for a guarded run."""

    @property
    def guard(self) -> SessionGuard: ...

    @property
    def holds_whole_run(self) -> bool:
        """True when one transaction holds the whole run."""
        ...

    def open(self) -> None:
        """Make the connection ready, outside any transaction; commits what env.py did before."""
        ...

    def begin(self) -> None:
        """Called when a transaction begins."""
        ...

    def commit(self) -> None:
        """Commit beneath SQLAlchemy, for an env.py that keeps the transaction in its own hands."""
        ...

    def refusal(self, error: Exception) -> Exception:
        """The error of a begin or a commit as it should be raised."""
        ...

    def mark(self) -> str:
        """What tells this transaction from another; "" when there is none."""
        ...

    def lock(self, locks: tuple[HeldLock, ...]) -> None:
        """Lock tables against the writes of others until the transaction ends."""
        ...

    def holders(self, statement: str) -> str:
        """Who holds what the statement waited for, as far as it is known; asked after the rollback."""
        ...


class SqliteSession:
    """One BEGIN IMMEDIATE holds the whole run, so a failed run leaves nothing behind."""

    holds_whole_run = True

    def __init__(
        self,
        connection: Connection,
        limits: Limits,
        channel: Channel,
        guards: SqliteGuards,
        version_table: TableName,
        *,
        on_copy: bool = False,
    ) -> None:
        self._raw = raw_sqlite(connection)
        self._on_copy = on_copy
        self._limits = limits
        self._channel = channel
        self.guard = guards(self._raw, limits, version_table)

    def open(self) -> None:
        self.commit()
        self._raw.isolation_level = None
        self.guard.prepare()
        if self._on_copy:  # nobody needs it after a power cut; batch mode's copying of a table takes half as long
            self._raw.execute("PRAGMA synchronous=OFF").close()

    def begin(self) -> None:
        """BEGIN IMMEDIATE, again and again until `lock_retry` is used up."""
        if self._raw.isolation_level is not None:  # an autocommit_block restores the driver's own way
            self._raw.isolation_level = None
        deadline = time.monotonic() + self._limits.lock_retry
        while True:
            try:
                self._raw.execute("BEGIN IMMEDIATE").close()
                break
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise self.refusal(error) from error
            self._channel.event("lock_wait", "", "the database is locked by another connection")
            time.sleep(0.05)
        # From here on only readers can be in the way (when the cache spills, and at the commit), and they go away.
        self._raw.execute(f"PRAGMA busy_timeout={max(1, round(self._limits.lock_retry * 1000))}").close()

    def commit(self) -> None:
        if self._raw.in_transaction:
            self._raw.commit()

    def mark(self) -> str:
        return "open" if self._raw.in_transaction else ""

    def lock(self, locks: tuple[HeldLock, ...]) -> None:
        """Nothing to do: BEGIN IMMEDIATE keeps every other writer out."""

    def holders(self, statement: str) -> str:
        """SQLite does not know."""
        return ""

    def refusal(self, error: Exception) -> Exception:
        if not _is_busy(error):
            return error
        return LockNotObtained(
            "the database stayed locked by another connection",
            why=f"no write lock within {self._limits.lock_retry:g} s",
            hint="stop the process that writes (lsof shows it), or raise lock_retry",
        )


class PostgresSession:
    """Each revision has its own transaction, so locks are held no longer than it takes."""

    holds_whole_run = False

    def __init__(
        self, connection: Connection, limits: Limits, guards: PostgresGuards, version_table: TableName
    ) -> None:
        self._connection = connection
        driver = connection.connection.dbapi_connection
        if getattr(driver, "autocommit", False) is True or getattr(driver, "isolation_level", "") == "autocommit":
            raise ProjectError(
                "env.py opens its connection in AUTOCOMMIT",
                why="without a transaction a failing revision would leave half of its changes behind",
                hint="leave the isolation level out; wrap single statements in op.get_context().autocommit_block()",
            )
        self.guard: LockingGuard = guards(self.query, limits, version_table)

    def refusal(self, error: Exception) -> Exception:
        return error

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one SQL text as it is, unseen by SQLAlchemy's events."""
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    def open(self) -> None:
        self.commit()
        self.guard.prepare()
        self.commit()

    def begin(self) -> None:
        """Nothing to do: the driver begins with the first statement."""

    def commit(self) -> None:
        self._connection.connection.commit()

    def mark(self) -> str:
        return str(self.query("SELECT pg_catalog.txid_current()")[0][0])

    def lock(self, locks: tuple[HeldLock, ...]) -> None:
        self.guard.lock(locks)

    def holders(self, statement: str) -> str:
        rows = self.query(_HOLDERS)
        named = [row for row in rows if str(row[3]).rpartition(".")[2].strip('"') in statement]
        lines = [
            f"pid {pid} {name or 'unnamed'} ({state}) holds {table}" for pid, name, state, table in (named or rows)[:5]
        ]
        return "; ".join(lines)


def make_session(
    connection: Connection,
    limits: Limits,
    channel: Channel,
    guards: tuple[SqliteGuards, PostgresGuards],
    version_table: TableName,
    *,
    on_copy: bool = False,
) -> Session:
    """The session of the connection's engine; `on_copy` when it leads to a rehearsal's copy."""
    if connection.dialect.name == "sqlite":
        return SqliteSession(connection, limits, channel, guards[0], version_table, on_copy=on_copy)
    return PostgresSession(connection, limits, guards[1], version_table)


def raw_sqlite(connection: Connection) -> sqlite3.Connection:
    """The sqlite3.Connection beneath pysqlite or aiosqlite."""
    found: Any = connection.connection.driver_connection
    while not isinstance(found, sqlite3.Connection):
        found = found._conn
    return found


def is_lock_error(error: BaseException | None) -> bool:
    """Whether a lock could not be had in time: waiting longer may help."""
    if isinstance(error, HandrailError):
        return isinstance(error, LockNotObtained)
    return bool(_LOCK_STATES & {sqlstate(link) for link in chain(error)})


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a driver's error, whatever the driver; "" when it has none."""
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def chain(error: BaseException | None) -> list[BaseException]:
    """The error, what SQLAlchemy or a driver wrapped in it, and its causes."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        link = todo.pop()
        if link is None or link in found or not isinstance(link, BaseException):
            continue
        found.append(link)
        todo += [link.__cause__, getattr(link, "orig", None)]
    return found


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
