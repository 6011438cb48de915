"""Notes what a migration script does while it runs: its operations and statements, with line, time, locks, rewrites."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from alembic.operations.base import AbstractOperations
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from handrail.databases.database import SessionGuard
from handrail.errors import HandrailError
from handrail.facts import HeldLock, SessionState, TableName
from handrail.migrations.operations import Operation, SourcePosition, StatementRun
from handrail.migrator.channel import Channel
from handrail.migrator.own_connections import keep_from_writing, refusal
from handrail.migrator.project import relative
from handrail.migrator.recording import operation_of

#: Statements kept per revision, so that memory stays flat; the operations are few by nature.
MOST_STATEMENTS = 5_000
_LONGEST_SQL = 2_000
_T = TypeVar("_T")
_FIRST_WORD = re.compile(r"^(?:\s+|--[^\n]*\n|/\*.*?\*/)*([a-z]+)(?:\s+([a-z]+))?", re.IGNORECASE | re.DOTALL)
_DATA = frozenset({"select", "insert", "update", "delete", "with"})
_ENDS_TRANSACTION = frozenset({"commit", "end", "rollback", "abort", "begin", "start"})


class TransactionEnded(HandrailError):
    """A script tried to end, or to begin, a transaction by itself; it was stopped before anything was committed."""


class AlreadyCommitted(TransactionEnded):
    """It was noticed only afterwards: what the script did before is in the database."""


class Recorder:
    """Listens while a script runs. `observed` also compares locks and storage around statements (on a clone)."""

    def __init__(self, channel: Channel, root: Path, *, observed: bool) -> None:
        self.statement = ""
        self.operations: list[Operation] = []
        self.statements: list[StatementRun] = []
        self.statements_seen = 0
        self.may_end_transaction = False
        self._channel = channel
        self._root = root
        self._observed = observed
        self._guard: SessionGuard | None = None
        self._connection: Any = None
        self._revision = ""
        self._file: Path | None = None
        self._started = 0.0
        self._state = SessionState()
        self._kinds: set[str] = set()

    @property
    def is_running(self) -> bool:
        return bool(self._revision)

    def install(self) -> None:
        """Listen to every operation and every statement of this process from now on."""
        invoke = AbstractOperations.invoke
        recorder = self

        def noting_invoke(operations: AbstractOperations, operation: Any) -> Any:
            recorder.note_operation(operation, operations)
            return invoke(operations, operation)

        AbstractOperations.invoke = noting_invoke  # type: ignore[assignment,method-assign] # the one place all operations pass
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        event.listen(Engine, "handle_error", self._explain)

    def attach(self, connection: Connection, guard: SessionGuard) -> None:
        """From now on, statements of this connection are those of the scripts."""
        self._connection = driver_connection(connection)
        self._guard = guard

    def start(self, revision: str, file: str) -> None:
        self._revision, self._file = revision, Path(file).resolve()
        self.operations, self.statements, self.statements_seen = [], [], 0
        self._kinds = set()
        if self._observed and self._guard is not None:
            self._state = self._guard.state()

    def stop(self) -> None:
        self._revision = ""

    def note_operation(self, operation: Any, operations: AbstractOperations) -> None:
        if self.is_running:
            noted = operation_of(
                operation,
                revision=self._revision,
                position=self.position(),
                dialect=operations.migration_context.dialect,
            )
            if noted is not None:
                self.operations.append(noted)

    def position(self) -> SourcePosition:
        """The line of the running script from which this call comes, directly or through others."""
        frame = sys._getframe(1)
        file = str(self._file)
        while frame is not None:
            if frame.f_code.co_filename == file or _is_file(frame.f_code.co_filename, self._file):
                return SourcePosition(str(relative(Path(file), self._root)), frame.f_lineno)
            frame = frame.f_back  # type: ignore[assignment]
        return SourcePosition(str(relative(Path(file), self._root)), 0)

    def _before(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if not self.is_running:
            return
        if driver_connection(connection) is not self._connection:
            keep_from_writing(connection)
            return
        word, second = _first_words(statement)
        if word in _ENDS_TRANSACTION and not (word == "rollback" and second == "to") and not self.may_end_transaction:
            raise TransactionEnded(
                f"the script says {word.upper()} by itself",
                why="handrail holds the revision in one transaction, which proves it and can undo it",
                hint="leave the transaction to Alembic; for statements that need none use op.get_context()"
                ".autocommit_block()",
            )
        self.statement = statement[:_LONGEST_SQL]
        self._started = time.perf_counter()
        self._channel.progress("statement", self._revision, self.statement)

    def _after(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if not self.is_running or driver_connection(connection) is not self._connection:
            return
        seconds = time.perf_counter() - self._started
        self.statements_seen += 1
        if len(self.statements) < MOST_STATEMENTS:
            locks, rewritten = self._observe(statement)
            rows = getattr(cursor, "rowcount", -1)
            self.statements.append(
                StatementRun(
                    self._revision,
                    self.position(),
                    statement[:_LONGEST_SQL],
                    seconds,
                    rows if isinstance(rows, int) else -1,
                    locks,
                    rewritten,
                )
            )
        self._channel.progress("statement", self._revision, self.statement)

    def _explain(self, context: ExceptionContext) -> None:
        connection = context.connection
        if self.is_running and connection is not None and driver_connection(connection) is not self._connection:
            refused = refusal(context.original_exception)
            if refused is not None:
                raise refused

    def _observe(self, statement: str) -> tuple[tuple[HeldLock, ...], tuple[TableName, ...]]:
        kind = _first_words(statement)[0]
        if not self._observed or self._guard is None or (kind in _DATA and kind in self._kinds):
            return (), ()
        self._kinds.add(kind)
        before, now = self._state, self._guard.state()
        rewritten = {table for table, storage in now.storage.items() if before.storage.get(table, storage) != storage}
        # A table that is dropped and made anew under its name (batch mode) is rewritten too: keep what it was.
        self._state = SessionState(now.locks, {**before.storage, **now.storage})
        return _sorted(now.locks - before.locks), _sorted(rewritten)


def driver_connection(connection: Connection) -> Any:
    """The driver's own connection beneath SQLAlchemy's (None when it is closed)."""
    fairy = connection._dbapi_connection
    return None if fairy is None else fairy.dbapi_connection


def _sorted(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(sorted(values, key=str))


def _first_words(statement: str) -> tuple[str, str]:
    found = _FIRST_WORD.match(statement)
    return ((found[1] or "").lower(), (found[2] or "").lower()) if found else ("", "")


def _is_file(name: str, file: Path | None) -> bool:
    return file is not None and name.endswith(file.name) and Path(name).resolve() == file
