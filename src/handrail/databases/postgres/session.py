"""PostgreSQL's part inside the process that runs Alembic, on the connection that env.py opened, whatever its driver."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.databases.postgres import catalog, digest
from handrail.databases.postgres.completeness import completeness
from handrail.databases.postgres.quoting import Query, literal, qualified
from handrail.databases.postgres.reading import pinned
from handrail.databases.postgres.sessions import application_name
from handrail.facts import (
    AddedColumns,
    BrokenReference,
    ColumnCompleteness,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    HeldLock,
    RowWrites,
    SessionState,
    TableName,
)

_DEFAULT = TableName("alembic_version")
#: Lock modes that keep others from writing, in SQL. Two sessions may hold SHARE; then neither can write.
_MODES = {
    "Share": "SHARE ROW EXCLUSIVE",
    "ShareRowExclusive": "SHARE ROW EXCLUSIVE",
    "Exclusive": "EXCLUSIVE",
    "AccessExclusive": "ACCESS EXCLUSIVE",
}


class PostgresSessionGuard:
    """A SessionGuard that speaks through `query`: one SQL text without parameters in, its rows out.

    Readings leave the session as it was: settings, transaction and locks (see `reading.pinned`). No driver is imported.
    """

    def __init__(
        self,
        query: Query,
        *,
        lock_timeout: float,
        statement_timeout: float = 0.0,
        run_id: str = "",
        version_table: TableName = _DEFAULT,
    ) -> None:
        self._query = query
        self._lock_timeout = lock_timeout
        self._statement_timeout = statement_timeout
        self._run_id = run_id
        self._version_table = version_table
        self._known: dict[int, tuple[str, str, int]] = {}
        self._counted: dict[int, tuple[int, int, int]] = {}

    def prepare(self) -> None:
        """Bound waits and statements for the session. The server ends a statement soon after this process died."""
        settings = {
            "application_name": application_name(self._run_id),
            "lock_timeout": _milliseconds(self._lock_timeout),
            "statement_timeout": _milliseconds(self._statement_timeout),
            "idle_in_transaction_session_timeout": "0",
        }
        for name, value in settings.items():
            self._query(f"SET {name} = {literal(value)}")
        # PostgreSQL 13 does not know this setting, and `SET` would fail.
        self._query(
            "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'"
        )

    def content(self) -> str:
        return ""

    def fingerprint(self, request: FingerprintRequest | None) -> Fingerprint:
        with pinned(self._query) as schema:
            return digest.fingerprint(
                self._query,
                request,
                default_schema=schema,
                version_table=self._version_table,
                named_only=request is not None,
            )

    def facts(self) -> DatabaseFacts:
        with pinned(self._query) as schema:
            return catalog.facts(self._query, default_schema=schema, version_table=self._version_table)

    def state(self) -> SessionState:
        schema = self._default_schema()
        return catalog.session_state(self._query, self._known, default_schema=schema, version_table=self._version_table)

    def lock(self, locks: Iterable[HeldLock]) -> None:
        """Take these locks one after the other until the transaction ends.

        The wait for each is bounded by lock_timeout; the driver's error passes through. Raises KeyError for a mode that
        lets others write."""
        schema = self._default_schema()
        for lock in locks:
            self._query(f"LOCK TABLE {qualified(lock.table, schema)} IN {_MODES[lock.mode]} MODE")

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        if not columns:
            return ()
        with pinned(self._query) as schema:
            return completeness(self._query, columns, default_schema=schema)

    def broken_references(self) -> tuple[BrokenReference, ...]:
        """None: PostgreSQL checks every row when it makes a constraint valid, and every write from then on."""
        return ()

    def writes(self) -> tuple[RowWrites, ...]:
        """By the session's own counters. They keep what was not yet handed to the server's statistics, also of earlier
        transactions: hence the difference to the reading before, and a counter that has gone down began anew."""
        now = catalog.own_writes(self._query)
        before, self._counted = self._counted, {oid: counts for oid, (_, counts) in now.items()}
        scope = catalog.Scope(self._default_schema(), self._version_table)
        found = []
        for oid, (table, counts) in now.items():
            then = before.get(oid, (0, 0, 0))
            if any(new < old for new, old in zip(counts, then, strict=True)):
                then = (0, 0, 0)
            written = RowWrites(scope.table(*table), *(new - old for new, old in zip(counts, then, strict=True)))
            if counts != then and not scope.is_version_table(written.table):
                found.append(written)
        return tuple(sorted(found, key=lambda written: str(written.table)))

    def _default_schema(self) -> str:
        return str(self._query("SELECT coalesce(current_schema(), 'public')::text")[0][0])


def _milliseconds(seconds: float) -> str:
    """0 means no bound; a bound is at least a millisecond."""
    return str(max(1, round(seconds * 1000))) if seconds > 0 else "0"
