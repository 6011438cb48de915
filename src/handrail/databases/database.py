"""The contract of a database: what handrail asks of an engine, and what an implementer promises.

An implementer promises:

* **No surprise writes.** `facts`, `fingerprint`, `dump`, `activity` and `probe` never write to the database and take
  no lock that makes a reader or a writer wait (SQLite in rollback-journal mode makes writers wait during `dump`:
  the engine has no other way).
* **One snapshot.** What `dump` writes, and the facts, fingerprint and revisions it returns, are of one and the same
  instant, however long the dump takes and whatever others commit meanwhile.
* **Streams.** Memory does not grow with the database.
* **Nothing left behind.** `scratch` drops what it made on every exit, errors and cancellation included; names it
  chooses carry the run id, so that what a killed run left can be found and dropped by `end_leftovers`.
* **All or nothing.** `replace` leaves either the old content or the new one, also after kill -9, and keeps the old
  content aside under a name that it returns.
* **Errors** are `handrail.errors`: `DatabaseUnavailable` (no connection, not a database, no rights),
  `LockNotObtained`, `BackupError` (a dump failed, a dump cannot be loaded). Messages never hold a password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from handrail.backups.methods import WHOLE, DumpRequest
from handrail.facts import (
    AddedColumns,
    BrokenReference,
    Capability,
    ColumnCompleteness,
    DatabaseAddress,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    OnTable,
    Question,
    RowWrites,
    SessionState,
    TableName,
    WriteActivity,
    unheard,
)

#: Looks at a database that was loaded, and raises when it must not be used.
Check = Callable[["Database"], None]


@dataclass(frozen=True, slots=True)
class DumpReport:
    """What a finished dump says about itself; everything in it is of the dump's own snapshot.

    `format` names how to read the bytes ("sqlite-pages", "pg_dump-custom"); `tool` and `server` are versions as text.
    """

    format: str
    tool: str
    server: str
    facts: DatabaseFacts
    fingerprint: Fingerprint
    revisions: tuple[str, ...]
    #: Tables that others wrote to while files were copied, so that no single fingerprint is right for them.
    changed_meanwhile: tuple[TableName, ...] = ()
    #: What was copied, file by file or piece by piece; an increment can be built on it only with this.
    inventory: bytes = b""
    #: The bytes that the host keeps, where these are not the dump's own.
    hosted_size: int | None = None


@dataclass(frozen=True, slots=True)
class SideTable:
    """A table of a backup beside the live one, whose rows are None when it is not there any more.

    By the live table's primary key: `lost` rows are in the backup only, `new` ones in the live table only, `changed`
    ones in both with other values. They are None where there is no key to tell rows by."""

    name: str
    rows: int
    live_rows: int | None
    lost: int | None = None
    new: int | None = None
    changed: int | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """One line of `handrail doctor` about this database: `ok` is None for a remark that is neither good nor bad."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""


class Dumps(Protocol):
    """An engine whose content can be written out as a stream of bytes and loaded from one."""

    def dump(
        self, out: BinaryIO, request: DumpRequest = WHOLE, *, fingerprint_request: FingerprintRequest | None = None
    ) -> DumpReport:
        """Write the content, uncompressed, to `out`. Raises BackupError; what was written then is worthless.

        The fingerprint of a dump of some tables, or of none, speaks of these only."""
        ...

    def load(self, source: BinaryIO, request: DumpRequest = WHOLE, *, increments: Iterable[BinaryIO] = ()) -> None:
        """Fill this (empty) database from a dump that was made by `request`. Raises BackupError when the dump cannot be
        read whole. Of a part of a database, foreign keys that its rows break are left out. `increments`: what was
        built on `source`, oldest first."""
        ...

    def replace(
        self,
        source: BinaryIO,
        request: DumpRequest = WHOLE,
        *,
        aside: str,
        increments: Iterable[BinaryIO] = (),
        check: Check | None = None,
    ) -> str:
        """Replace this database's content by a whole dump; the old content is kept under a name made from `aside`.

        Returns what the old content is called now. All or nothing. Other sessions are disconnected or made to wait.
        `check` reads the new content before it takes the old one's place; when it raises, nothing is replaced.
        """
        ...


class Database(Dumps, Protocol):
    """A live or scratch database."""

    @property
    def address(self) -> DatabaseAddress: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def exists(self) -> bool:
        """False when there is nothing there yet (a SQLite file that was never made). Raises when unreachable."""
        ...

    def require_writable(self) -> None:
        """Raise DatabaseUnavailable when nobody could write here (a file without write rights, a standby); cheap, and
        nothing is written. It says nothing of the rights on single tables."""
        ...

    def facts(self) -> DatabaseFacts:
        """Read the catalog: tables, columns, objects, sizes. Alembic's version table is not among the tables."""
        ...

    def size_bytes(self, request: DumpRequest = WHOLE) -> int:
        """What it takes on its disk, as `facts` has it; cheap, however many tables there are. With a request for a
        whole server, what all of its databases take."""
        ...

    def fingerprint(self, request: FingerprintRequest | None = None, *, on_table: OnTable = unheard) -> Fingerprint:
        """Count and digest every table, in one snapshot; `on_table` is told of each that is done."""
        ...

    def revisions(self) -> tuple[str, ...]:
        """The revisions that Alembic's version table holds, sorted; () when there is no such table."""
        ...

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        """How these columns are filled, in one scan per table. A column or table that is not there is left out."""
        ...

    def count_rows(self, questions: Iterable[Question], *, seconds: float) -> Mapping[Question, int]:
        """The answers, read and nothing written. A question is left out that cannot be asked (no such table or column,
        a condition that is no SQL here) or takes longer than `seconds`."""
        ...

    def broken_references(self) -> tuple[BrokenReference, ...]:
        """Rows that a foreign key should not let be there, counted per key, sorted; () where the engine lets none in.

        A constraint that was never checked is not broken: `facts` shows it as not valid."""
        ...

    def integrity(self) -> tuple[Probe, ...]:
        """Whether what is stored is sound by the engine's own checks, reading all of it; `ok` is None for a check that
        cannot be made here. For scratch databases: it may take long, and what it needs is installed and taken away."""
        ...

    def ask(self, sql: str, *, seconds: float) -> object:
        """The first value that one SQL statement gives, None when it gives none. For scratch databases: it may write.
        Raises BackupError with the engine's own words, also when it takes longer."""
        ...

    def activity(self) -> WriteActivity:
        """Rows written per table so far, by the engine's statistics; empty where the engine has none."""
        ...

    def other_writers(self) -> tuple[str, ...]:
        """Sessions of others that could write now, as readable lines ("pid 812 uvicorn, idle in transaction 3 s")."""
        ...

    def lock(self, run_id: str, *, wait: float) -> AbstractContextManager[None]:
        """Be the only handrail run on this database. Waits up to `wait` seconds, then raises LockNotObtained naming
        the holder. Released at exit and by the death of this process."""
        ...

    def scratch(
        self, run_id: str, request: DumpRequest = WHOLE, *, server: str = ""
    ) -> AbstractContextManager[Database]:
        """An empty database of the same engine, version, encoding and collation, dropped at exit.

        It takes a dump that was made by `request` on a server of that version; for the files of a whole server it is a
        server of its own, and there only when it is loaded."""
        ...

    def restore_cluster(
        self, source: BinaryIO, folder: Path, *, server: str, increments: Iterable[BinaryIO] = ()
    ) -> None:
        """Make a server's data folder of the files of a whole server, which was of that version, and what was built on
        them. BackupError when the folder is not empty, or an engine has no such files."""
        ...

    def bring(self, copy: Database, table: TableName, name: str) -> SideTable:
        """Copy the rows of a table of a restored copy into a new table of that name beside the live one, all or
        nothing. It keeps types and primary key, no other constraint. UsageError when the name is taken or there is no
        such table."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """How this scratch database differs from the one it stands for (the version or locale of another server), as
        readable lines; () otherwise."""
        ...

    def of_run(self, run_id: str) -> Database:
        """The same database, whose sessions on the server are known by this run, so that `end_leftovers` ends them."""
        ...

    def sibling(self, name: str) -> Database:
        """The database of that name (SQLite: a path) on the same server; it need not exist."""
        ...

    def create(self) -> None:
        """Make this database, empty. Raises BackupError when it is already there."""
        ...

    def unnamed(self, run_id: str) -> Database:
        """Under what name this run makes this database, on the same server, until it is whole: then `name` gives it its
        own at once, so that nothing ever has a name that is not whole. Nothing is made. BackupError when it is already
        there."""
        ...

    def name(self, made: Database) -> None:
        """Let what `unnamed` led to, and is whole now, be this database. BackupError when this one is there by now."""
        ...

    def end_unnamed(self, run_id: str, name: str) -> tuple[str, ...]:
        """End the sessions of a dead run on the server, and drop the database of that name, which `unnamed` led it to;
        what was ended, as readable lines. It needs no lock."""
        ...

    def drop(self) -> None:
        """Remove this database, whoever uses it: for one that this run has made. Nothing when it is not there."""
        ...

    def end_leftovers(self, run_id: str) -> tuple[str, ...]:
        """End sessions and drop scratch databases that a dead run left; returns what was ended, as readable lines."""
        ...

    def probe(self) -> tuple[Probe, ...]:
        """What `handrail doctor` wants to know: tool versions against the server's, rights, free space, mode."""
        ...


class SessionGuard(Protocol):
    """The engine's part inside the process that runs Alembic, on the connection that env.py opened.

    The SQLite guard is given the plain sqlite3.Connection underneath (also beneath aiosqlite); the PostgreSQL guard a
    function that runs one SQL text without parameters on that connection and returns its rows, whatever the driver.
    """

    def prepare(self) -> None:
        """Called outside any transaction before the first revision: set timeouts, foreign keys off around batch."""
        ...

    def content(self) -> str:
        """What `Fingerprint.content` is in a dump of the same content; "" where that is not cheap.

        Called right after a transaction began: what this session changes itself is not in it."""
        ...

    def fingerprint(self, request: FingerprintRequest | None) -> Fingerprint:
        """Fingerprint as seen by this session, uncommitted changes included; same algorithm as Database.fingerprint.

        Where others write meanwhile, only what the request names is read (those tables are locked)."""
        ...

    def facts(self) -> DatabaseFacts:
        """The catalog as seen by this session, uncommitted changes included."""
        ...

    def state(self) -> SessionState:
        """Locks held and storage identities; cheap enough to be asked after every DDL statement."""
        ...

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        """How these columns are filled, in one scan per table. A column or table that is not there is left out."""
        ...

    def broken_references(self) -> tuple[BrokenReference, ...]:
        """Rows that a foreign key should not let be there, counted per key, sorted; () where the engine lets none in.

        A constraint that was never checked is not broken: `facts` shows it as not valid."""
        ...

    def writes(self) -> tuple[RowWrites, ...]:
        """Rows that this session has written since this was asked last, uncommitted ones included, by the tables' names
        now; () where others cannot write meanwhile, so that digests see everything."""
        ...
