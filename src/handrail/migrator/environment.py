"""Alembic's EnvironmentContext as the user's env.py sees it: one that only looks, and one that runs guarded."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection

from handrail.errors import ProjectError
from handrail.facts import BrokenReference, DatabaseAddress, DatabaseFacts, Fingerprint, RowWrites, TableName
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import RevisionPath
from handrail.migrator.channel import Channel
from handrail.migrator.migrator import InTransactionProof, ProofRequest
from handrail.migrator.places import ENGINES, is_same_place
from handrail.migrator.project import steps_of
from handrail.migrator.protocol import encode
from handrail.migrator.recorder import AlreadyCommitted, Recorder, TransactionEnded, driver_connection
from handrail.migrator.redirect import Connections, unsupported
from handrail.migrator.sessions import Session, is_lock_error

NO_CONNECTION = "env.py gave Alembic no connection"
MakeSession = Callable[[Connection, TableName], Session]


class Stopped(Exception):
    """The judge said stop; the parent knows why."""


class WatchedEnvironment(EnvironmentContext):
    """Checks what env.py configures. `has_run` tells whether env.py came to run_migrations at all."""

    def __init__(
        self,
        config: Config,
        script: ScriptDirectory,
        connections: Connections,
        configured: DatabaseAddress | None,
        **options: Any,
    ) -> None:
        super().__init__(config, script, **options)
        self.connections = connections
        self.configured = configured
        self.address: DatabaseAddress | None = None
        self.has_run = False

    def __enter__(self) -> EnvironmentContext:
        """Become what `from alembic import context` means; Alembic keeps the names of that module by exact class."""
        self._setups[type(self)] = self._setups[EnvironmentContext]
        return super().__enter__()

    def configure(self, connection: Connection | None = None, **options: Any) -> None:  # type: ignore[override] # the rest is passed on as it is
        """Let env.py configure, after making sure that it means one database, which we know."""
        if connection is None:
            raise ProjectError(
                NO_CONNECTION,
                why="it calls context.configure() without `connection`, as in offline mode",
                hint="let env.py connect when context.is_offline_mode() is false (see `alembic init` for an example)",
            )
        if not isinstance(connection, Connection):
            super().configure(connection=connection, **options)  # Alembic words what is wrong with it
            return
        if connection.dialect.name not in ENGINES:
            raise unsupported(connection.dialect.name)
        address = self.connections.address(connection.dialect)
        self._check(address)
        self.address = address
        self.configure_connected(connection, options)

    def configure_connected(self, connection: Connection, options: dict[str, Any]) -> None:
        super().configure(connection=connection, **options)

    def _check(self, address: DatabaseAddress) -> None:
        if self.address is not None and not is_same_place(self.address, address):
            raise ProjectError(
                f"env.py migrates several databases ({self.address} and {address})",
                why="handrail guards one database per project",
                hint="let env.py choose one by an environment variable or `-x`, and run handrail once for each",
            )
        is_ours = self.connections.on is not None and is_same_place(address, self.connections.on)
        if self.configured is not None and not is_ours and not is_same_place(self.configured, address):
            raise ProjectError(
                f"env.py opened {address}, but {self.configured} was expected",
                why="env.py does not take its URL from sqlalchemy.url, or it changed since it was looked at",
                hint='in env.py use config.get_main_option("sqlalchemy.url"), or remove `url` from handrail\'s '
                "configuration and choose the database as the application does (ENV=…)",
            )


class LookingEnvironment(WatchedEnvironment):
    """Runs env.py up to run_migrations, and there only calls `look`: nothing is created, nothing is written."""

    def __init__(self, *arguments: Any, look: Callable[[MigrationContext], None], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._look = look

    def run_migrations(self, **_: Any) -> None:
        self.has_run = True
        self._look(self.get_context())


class GuardedEnvironment(WatchedEnvironment):
    """Runs the steps of a path, each recorded, proven inside its transaction, and committed only then."""

    def __init__(
        self,
        *arguments: Any,
        path: RevisionPath,
        proofs: Mapping[str, ProofRequest],
        make_session: MakeSession,
        channel: Channel,
        recorder: Recorder,
        root: Path,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, fn=self._steps, **options)
        self.path, self.proofs = path, proofs
        self.channel, self.recorder, self.root = channel, recorder, root
        self.make_session = make_session
        self.session: Session | None = None
        #: Revisions whose transaction is committed; finished ones that are not committed yet.
        self.committed: list[str] = []
        self.finished: list[str] = []
        self.heads: tuple[str, ...] = path.start
        self.current = ""
        self.broke_open = False
        #: Who holds the lock that a script could not get, when that is why it failed.
        self.holders = ""
        self._waits_for_lock = False
        self._pending_heads: tuple[str, ...] = path.start
        self._external = False
        self._before: tuple[Fingerprint, DatabaseFacts, tuple[BrokenReference, ...]] | None = None
        self._known: Fingerprint | None = None
        self._writes: list[RowWrites] = []
        self._mark = ""
        self._started = 0.0

    # env.py calls these two

    def configure_connected(self, connection: Connection, options: dict[str, Any]) -> None:
        session = self.session = self.make_session(connection, _version_table(options))
        self._external = connection.in_transaction()
        session.open()
        if self._external:
            self._begin_transaction(session)
        event.listen(connection, "begin", self._begin)
        self._watch_commits(connection, session)
        self.recorder.attach(connection, session.guard)
        options["transaction_per_migration"] = not session.holds_whole_run
        options["transactional_ddl"] = True
        callbacks = options.get("on_version_apply") or ()
        callbacks = (callbacks,) if callable(callbacks) else tuple(callbacks)
        options["on_version_apply"] = (*callbacks, self._finish)
        super().configure_connected(connection, options)
        self._watch_autocommit()

    def run_migrations(self, **options: Any) -> None:
        self.has_run = True
        context = self.get_context()
        assert self.session is not None  # noqa: S101 - env.py cannot come here unconfigured: get_context raises
        needs_transaction = self.session.holds_whole_run and not self._external and context._transaction is None
        with context.begin_transaction() if needs_transaction else nullcontext():
            super().run_migrations(**options)

    # Alembic calls these

    def _steps(self, heads: tuple[str, ...], _context: MigrationContext) -> Iterator[RevisionStep]:
        if tuple(sorted(heads)) != tuple(sorted(self.path.start)):
            raise ProjectError(
                f"the database is at {', '.join(heads) or 'base'}, no longer at {', '.join(self.path.start) or 'base'}",
                why="somebody migrated it since it was looked at",
                hint="run the command again",
            )
        for step in steps_of(self.script, self.path):
            step.migration_fn = self._guarded(step, step.migration_fn)
            yield step

    def _guarded(self, step: RevisionStep, run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)  # Alembic logs the step by the function's name
        def guarded(**options: Any) -> None:
            try:
                self._start(step)
                run(**options)
            except Exception as error:
                self._waits_for_lock = is_lock_error(error)
                raise
            finally:
                self.recorder.stop()
            self._refuse_ended_transaction()

        return guarded

    def _start(self, step: RevisionStep) -> None:
        assert self.session is not None  # noqa: S101 - configured before
        self.current = step.revision.revision
        self.broke_open = False
        self.channel.event("revision", self.current, step.revision.doc or "")
        request = self._request(self.current, is_first=not self.finished)
        if request is not None:
            self.channel.send("quiet")
            self.session.lock(request.locks)
            guard = self.session.guard
            known = None if self._known is None else self._known.having(request.before)
            before = guard.fingerprint(request.before) if known is None else known
            self._before = before, guard.facts(), guard.broken_references()
        self.session.guard.writes()
        self._writes.clear()
        self._mark = self.session.mark()
        self._started = time.perf_counter()
        self.recorder.start(self.current, step.revision.path)

    def _finish(self, *, heads: set[str], **_: Any) -> None:
        """The last thing inside a revision's transaction, after the user's own on_version_apply."""
        assert self.session is not None  # noqa: S101 - configured before
        self._refuse_ended_transaction()
        self._report_run()
        self.finished.append(self.current)
        self._pending_heads = tuple(sorted(heads))
        is_last = self.current == self.path.revisions[-1].id
        if self.session.holds_whole_run and not is_last:
            return
        self._prove()
        self.channel.event("committing", self.current, ",".join(self.finished))
        if self._external:
            self.session.commit()
            self._note_commit()
            if not is_last:
                self._begin_transaction(self.session)

    def _refuse_ended_transaction(self) -> None:
        """The last net: a commit beneath SQLAlchemy is noticed only after it happened."""
        if self.session is not None and self.session.mark() != self._mark:
            raise AlreadyCommitted(
                "the script committed by itself",
                why="what it did before is in the database already and cannot be rolled back",
                hint="leave commit() out of scripts",
            )

    def _report_run(self) -> None:
        seconds = time.perf_counter() - self._started
        self._count_writes()
        recorder = self.recorder
        run = RevisionRun(
            self.current,
            self.path.direction.value,
            seconds,
            tuple(recorder.operations),
            tuple(recorder.statements),
            tuple(self._writes),
        )
        self.channel.send("run", run=encode(run), statements=recorder.statements_seen)

    def _count_writes(self) -> None:
        if self.session is not None:
            self._writes += self.session.guard.writes()

    def _prove(self) -> None:
        request = self._request(self.current, is_first=True)
        if request is None or self._before is None or self.session is None:
            return
        self.channel.event("proof", self.current)
        self.channel.send("quiet")
        guard, (before, facts_before, broken_before) = self.session.guard, self._before
        proof = InTransactionProof(
            before=before,
            after=guard.fingerprint(request.after),
            facts_before=facts_before,
            facts_after=guard.facts(),
            broken_before=broken_before,
            broken_after=guard.broken_references(),
            completeness=guard.completeness(request.added),
            writes=tuple(self._writes),
        )
        self._before = None
        if self.channel.ask("proof", revision=self.current, proof=encode(proof)) != "go":
            raise Stopped

    def _request(self, revision: str, *, is_first: bool) -> ProofRequest | None:
        """The proof that belongs to the transaction of this revision, at its first and at its last revision."""
        if self.session is not None and self.session.holds_whole_run:
            return self.proofs.get(self.path.revisions[-1].id) if is_first else None
        return self.proofs.get(revision)

    # transactions

    def _begin(self, connection: Connection) -> None:
        if self.session is not None and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            self._begin_transaction(self.session)

    def _begin_transaction(self, session: Session) -> None:
        """Begin, and look whether the content is still what digests are known of."""
        session.begin()
        request = None if self._before else self._request(self.path.revisions[0].id, is_first=not self.finished)
        if request is not None and request.known is not None:
            self.channel.send("quiet")
            self._known = request.known if session.guard.content() == request.known.content else None

    def _watch_commits(self, connection: Connection, session: Session) -> None:
        ours, dialect = driver_connection(connection), connection.dialect
        commit, rollback = dialect.do_commit, dialect.do_rollback

        def do_commit(dbapi_connection: Any) -> None:
            is_ours = getattr(dbapi_connection, "dbapi_connection", dbapi_connection) is ours
            if is_ours:
                self._refuse_inside_script("commit")
            try:
                commit(dbapi_connection)
            except Exception as error:
                raise session.refusal(error) from error
            if is_ours:
                self._note_commit()

        def do_rollback(dbapi_connection: Any) -> None:
            if getattr(dbapi_connection, "dbapi_connection", dbapi_connection) is ours:
                self._refuse_inside_script("rollback")
                rollback(dbapi_connection)
                self._ask_holders(dbapi_connection, rollback)
            else:
                rollback(dbapi_connection)

        dialect.do_commit, dialect.do_rollback = do_commit, do_rollback  # type: ignore[method-assign] # of this engine only

    def _refuse_inside_script(self, what: str) -> None:
        if self.recorder.is_running and not self.recorder.may_end_transaction:
            raise TransactionEnded(
                f"the script calls {what}() by itself",
                why="handrail holds the revision in one transaction, which proves it and can undo it",
                hint=f"leave {what}() out of the script",
            )

    def _ask_holders(self, dbapi_connection: Any, rollback: Callable[[Any], None]) -> None:
        """Right after the rollback whoever held the lock probably still does."""
        if self._waits_for_lock and self.session is not None:
            self._waits_for_lock = False
            with suppress(Exception):  # the connection may be closing; then nobody is named
                self.holders = self.session.holders(self.recorder.statement)
                rollback(dbapi_connection)

    def _note_commit(self) -> None:
        new = self.finished[len(self.committed) :]
        if new:
            self.committed += new
            self.heads = self._pending_heads
            self.channel.send("committed", revisions=new, heads=list(self.heads))
            self.channel.event("committed", new[-1], ",".join(new))

    def _watch_autocommit(self) -> None:
        context = self.get_context()
        block = context.autocommit_block

        @contextmanager
        def autocommit_block() -> Iterator[None]:
            self.recorder.may_end_transaction = True
            self.broke_open = True
            self._count_writes()
            try:
                with block():
                    yield
            finally:
                self.recorder.may_end_transaction = False
                self._count_writes()
                if self.session is not None:
                    self._mark = self.session.mark()

        context.autocommit_block = autocommit_block  # type: ignore[method-assign] # of this run only


def _version_table(options: Mapping[str, Any]) -> TableName:
    return TableName(str(options.get("version_table") or "alembic_version"), options.get("version_table_schema"))


def never_ran() -> ProjectError:
    """The refusal of an env.py that ends without having called run_migrations."""
    return ProjectError(
        "env.py never called context.run_migrations()",
        why="so Alembic can neither read nor change the database",
        hint="compare env.py with the one that `alembic init` makes",
    )
