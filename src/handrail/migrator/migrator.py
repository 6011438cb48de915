"""The contract of a migrator: what handrail asks of Alembic, and what an implementer promises.

* The user's env.py runs unedited, sync or async, in a process of its own with the project's folder as working
  directory; what it prints is captured, never mixed into results; `sys.exit`, hangs and crashes of it are errors here.
* The database that a call works on is the one it names: with `on` given, every connection of the child, whatever
  env.py does, goes there, and a connection to any other place than the project's own database is refused.
* A revision's transaction is committed only after its proof (when asked for) has passed inside it. A call that raises
  has left the revisions that it reports as committed, and nothing of the others.
* Errors: ProjectError (configuration, scripts, revisions), DatabaseUnavailable, LockNotObtained (lock_timeout ran
  out), MigrationFailed (a script failed), ProofFailed (it lost something).
* A dead parent ends the child.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from handrail.enums.plan import Wishes
from handrail.enums.states import EnumReading, ModelEnum
from handrail.errors import DatabaseUnavailable, HandrailError
from handrail.facts import (
    AddedColumns,
    BrokenReference,
    ColumnCompleteness,
    DatabaseAddress,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    HeldLock,
    RowWrites,
    TableName,
)
from handrail.migrations.operations import RevisionRun, SourcePosition
from handrail.migrations.revision import Revision, RevisionPath


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What one look at the project and its database found.

    `revisions` is the whole history, newest first; `heads` the script heads; `current` what the database is stamped
    with; `unknown` those of `current` that no script has. `is_async` is True when env.py used an async engine.
    `database_missing` is True for a SQLite file that is not there yet (it has not been created by looking).
    `env_output` is what env.py printed. `path` is the way to the target that was asked for, when one was. `enums` are
    the enum columns of the models, () where env.py names no models.
    """

    address: DatabaseAddress
    dialect: str
    driver: str
    is_async: bool
    current: tuple[str, ...]
    heads: tuple[str, ...]
    revisions: tuple[Revision, ...]
    unknown: tuple[str, ...] = ()
    database_missing: bool = False
    version_table: TableName = field(default_factory=lambda: TableName("alembic_version"))
    alembic_version: str = ""
    sqlalchemy_version: str = ""
    env_output: str = ""
    path: RevisionPath | None = None
    enums: tuple[ModelEnum, ...] = ()

    @classmethod
    def unseen(cls, address: DatabaseAddress) -> ProjectFacts:
        """What is known of a project whose database could not be looked at."""
        return cls(address, address.engine, "", is_async=False, current=(), heads=(), revisions=())


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run may wait and work, in seconds. `lock_timeout` bounds one wait for a lock (PostgreSQL
    lock_timeout; SQLite busy timeout), retried with jitter until `lock_retry` is used up. `statement_timeout` bounds
    one statement or one silence of the script; 0 means no bound."""

    lock_timeout: float = 0.1
    lock_retry: float = 60.0
    statement_timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """What to digest inside a revision's own transaction.

    `before` are column groups as the tables are before the run, `after` the same groups under the names they have
    after it (a table or column that the run renames); a table is in both or in neither. On an engine with concurrent
    writers, `locks` are taken first, in this order: one for each table of `before`, in the mode that the script will
    need. `added` are columns that the run adds to these tables, whose values are to be measured. `known` are digests
    of `before` that hold if the content is still what it was (`Fingerprint.content`).
    """

    before: FingerprintRequest
    after: FingerprintRequest
    locks: tuple[HeldLock, ...] = ()
    added: AddedColumns = field(default_factory=dict)
    known: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class InTransactionProof:
    """What was seen inside the transaction: before the first and after the last statement, both under the lock.
    `writes` are the rows that the last revision's own session wrote, where others write meanwhile."""

    before: Fingerprint
    after: Fingerprint
    facts_before: DatabaseFacts
    facts_after: DatabaseFacts
    broken_before: tuple[BrokenReference, ...] = ()
    broken_after: tuple[BrokenReference, ...] = ()
    completeness: tuple[ColumnCompleteness, ...] = ()
    writes: tuple[RowWrites, ...] = ()


@dataclass(frozen=True, slots=True)
class MigrationOutcome:
    """What a finished upgrade or downgrade did. `proofs` maps the id of a revision (the last one of the transaction)
    to what was seen inside its transaction; `lock_waits` counts attempts that ran into lock_timeout."""

    path: RevisionPath
    runs: tuple[RevisionRun, ...]
    proofs: Mapping[str, InTransactionProof] = field(default_factory=dict)
    lock_waits: int = 0
    output: str = ""


@dataclass(frozen=True, slots=True)
class MigrationEvent:
    """Progress, as it happens: `kind` is "revision", "statement", "lock_wait", "committing", "committed" or "proof"."""

    kind: str
    revision: str
    text: str = ""


OnEvent = Callable[[MigrationEvent], None]
#: Judges an in-transaction proof; raising (ProofFailed) makes the child roll back.
Judge = Callable[[str, InTransactionProof], None]


class NoDatabase(DatabaseUnavailable):
    """The project's database cannot be reached, or not be read. `address` is where env.py aimed, if that is known."""

    def __init__(self, message: str, *, why: str = "", hint: str = "", address: DatabaseAddress | None = None) -> None:
        super().__init__(message, why=why, hint=hint)
        self.address = address


class MigrationFailed(HandrailError):
    """A script raised, hung, or exited. `committed` are the revisions whose transactions had been committed;
    `is_partly_committed` when the script itself committed a part of what the failed one did (an autocommit_block)."""

    code = "HR710"

    def __init__(  # noqa: PLR0913 - the things that are known about a failed script
        self,
        message: str,
        *,
        why: str = "",
        hint: str = "",
        revision: str = "",
        position: SourcePosition | None = None,
        committed: tuple[str, ...] = (),
        traceback: str = "",
        output: str = "",
        is_partly_committed: bool = False,
    ) -> None:
        super().__init__(message, why=why, hint=hint)
        self.revision = revision
        self.position = position
        self.committed = committed
        self.traceback = traceback
        self.output = output
        self.is_partly_committed = is_partly_committed


class ProofFailed(HandrailError):
    """Something changed that no script declared. Raised by a Judge; the transaction was rolled back."""

    code = "HR720"


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A script to be written: by hand, or from what models and database differ in. `head` is what it follows ("" for
    the only head), `id` its id ("" for one of Alembic's). `enums` says what became of values of enum columns, and on
    which engines the script has to run."""

    message: str
    autogenerate: bool = False
    head: str = ""
    id: str = ""
    enums: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True)
class WrittenScripts:
    """Paths of new scripts, and the server defaults that were taken from the models ("bookings.seats = '0'"). `notes`
    tell which differences of enum columns were left alone, and why; `enums` are the enum columns of the models."""

    paths: tuple[str, ...]
    filled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    enums: tuple[ModelEnum, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """One difference between models and database, as Alembic's comparison words it."""

    summary: str


class Migrator(Protocol):
    """Alembic for one project and one environment."""

    def describe(self, target: str | None = None) -> ProjectFacts:
        """Load the project, connect as env.py does, read the stamp. Never creates a database file, never writes.

        With `target` the result's `path` leads there (see `path`), at no further cost."""
        ...

    def path(self, facts: ProjectFacts, target: str) -> RevisionPath:
        """The upgrade path to `target` ("head", "heads", an id or a unique prefix, "+n"), or the downgrade path for
        "base", "-n", or an id that is behind. ProjectError when unknown or ambiguous."""
        ...

    def sql(self, path: RevisionPath) -> Mapping[str, str]:
        """The SQL of each revision of the path in offline mode, by revision id; a revision that cannot be rendered
        offline maps to a text that begins with "-- cannot be shown: " and the reason."""
        ...

    def run(
        self,
        path: RevisionPath,
        *,
        on: DatabaseAddress | None = None,
        run_id: str = "",
        limits: Limits | None = None,
        proofs: Mapping[str, ProofRequest] | None = None,
        judge: Judge | None = None,
        on_event: OnEvent | None = None,
    ) -> MigrationOutcome:
        """Run the path on the project's own database, or on the clone `on` (which is observed: locks, rewrites).

        `proofs` are keyed by revision. An engine that holds the whole run in one transaction uses only the one of
        the path's last revision, which then speaks of the whole run; a revision without one is not proven."""
        ...

    def stamp(self, target: str, *, purge: bool = False) -> None:
        """Write the stamp without running anything."""
        ...

    def revise(self, new: NewRevision) -> WrittenScripts:
        """Write a new script as `alembic revision` does; what it adds as NOT NULL gets the model's default.
        ProjectError when the database is not at head (with autogenerate) or there are several heads."""
        ...

    def differences(self, on: DatabaseAddress | None = None) -> tuple[ModelDifference, ...]:
        """Models against database, or against its copy `on` (autogenerate's comparison); () when equal. ProjectError
        when they cannot be loaded, NoModels without target_metadata."""
        ...

    def enums(self) -> EnumReading:
        """The enum columns of models and database side by side, the rows of each value counted: every table of one is
        read. A database that is not there yet holds none. ProjectError without target_metadata."""
        ...
