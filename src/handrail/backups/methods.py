"""The ways to make a backup: what each is good for, which one an engine takes unless told, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from handrail.errors import BackupError, UsageError
from handrail.facts import TableName
from handrail.pages import page
from handrail.snapshots.snapshot import Label
from handrail.snapshots.waiting import OnWait, unheard


class Method(StrEnum):
    """How the content is taken: the pages themselves, or what makes them again. `dump` is the engine's usual one."""

    COPY = "copy"
    DUMP = "dump"
    DUMP_DIRECTORY = "dump-directory"
    DUMP_PLAIN = "dump-plain"
    BASE = "base"
    INCREMENT = "increment"
    SNAPSHOT = "snapshot"


class Format(StrEnum):
    """How the bytes of an artifact are to be read, once they are decompressed; what a manifest says."""

    SQLITE_PAGES = "sqlite-pages"
    #: Of the pages those that changed since the copy that it builds on, as a tar.
    SQLITE_INCREMENT = "sqlite-pages-increment"
    SQLITE_SQL = "sqlite-sql"
    PG_CUSTOM = "pg_dump-custom"
    PG_PLAIN = "pg_dump-plain"
    #: The folder that pg_dump wrote, as a tar.
    PG_DIRECTORY = "pg_dump-directory"
    #: The files of a whole server, as a tar with the manifest that pg_verifybackup reads.
    PG_BASE = "pg_basebackup-tar"
    #: The same, but of each file only the blocks that changed since the backup that it builds on.
    PG_INCREMENT = "pg_basebackup-incremental-tar"
    #: What has to be known of an RDS snapshot to make an instance of it again; the data stays with AWS.
    RDS_SNAPSHOT = "rds-snapshot"


#: What changed since another backup, and cannot be restored without it.
INCREMENTS: Final = frozenset({Format.SQLITE_INCREMENT, Format.PG_INCREMENT})
#: The files of a whole server: loaded into a server of their own.
OF_A_SERVER: Final = frozenset({Format.PG_BASE, Format.PG_INCREMENT})
#: Kept by whoever hosts the database: the store holds only what tells of it.
HOSTED: Final = frozenset({Format.RDS_SNAPSHOT})


@dataclass(frozen=True, slots=True)
class DumpRequest:
    """What a dump is to hold and how it is written. `format` None: as the engine does unless told.

    With `tables` it holds every definition, but only the rows of these; with `schema_only` no rows at all. `jobs`:
    how many sessions may work at once, where the format allows it. `since` is what the server wrote about the backup
    that an increment builds on: it is needed to make one, not to read it. `label` is what the tags of a snapshot say,
    `name` how it is called; `heard` is told of the wait for what the host makes.
    """

    format: Format | None = None
    tables: tuple[TableName, ...] = ()
    schema_only: bool = False
    jobs: int = 2
    since: bytes = field(default=b"", repr=False)
    label: Label | None = None
    name: str = ""
    heard: OnWait = field(default=unheard, repr=False, compare=False)

    @property
    def is_whole(self) -> bool:
        return not self.tables and not self.schema_only

    @property
    def is_complete(self) -> bool:
        """Whether it holds everything by itself."""
        return self.is_whole and self.format not in INCREMENTS

    @property
    def is_of_a_server(self) -> bool:
        return self.format in OF_A_SERVER

    @property
    def is_hosted(self) -> bool:
        """Whether the content stays with who hosts the database."""
        return self.format in HOSTED


WHOLE: Final = DumpRequest()


@dataclass(frozen=True, slots=True)
class Way:
    """One way to back an engine up, in words for who has to choose."""

    method: Method
    format: Format
    what: str
    good_for: str
    limits: str
    #: Whether it may hold only some tables' rows, or none.
    may_be_partial: bool = False

    @property
    def is_increment(self) -> bool:
        """Whether it only holds what changed since another backup."""
        return self.format in INCREMENTS


#: By engine, the default first.
WAYS: Final[Mapping[str, tuple[Way, ...]]] = {
    "sqlite": (
        Way(
            Method.COPY,
            Format.SQLITE_PAGES,
            "the file's pages at one instant, its WAL included",
            "everything: the fastest to make and to restore; readers and (in WAL mode) writers go on",
            "read by SQLite only; the whole database or nothing",
        ),
        Way(
            Method.DUMP,
            Format.SQLITE_SQL,
            "SQL text, one line for each row",
            "reading and comparing by people, other versions of SQLite, long keeping",
            "restoring runs every statement: several times slower than a copy",
        ),
        Way(
            Method.INCREMENT,
            Format.SQLITE_INCREMENT,
            "the parts of the file that changed since the last copy or increment",
            "backups every hour of a large file of which little changes: small, and quick to send",
            "restoring needs every one that it builds on",
        ),
    ),
    "postgresql": (
        Way(
            Method.DUMP,
            Format.PG_CUSTOM,
            "pg_dump's own archive",
            "everything up to some 100 GB: newer versions, other machines, single tables, two sessions restore it",
            "restoring builds every index again",
            may_be_partial=True,
        ),
        Way(
            Method.DUMP_DIRECTORY,
            Format.PG_DIRECTORY,
            "the same as a folder, written by several sessions",
            "large tables on a server with idle processors",
            "needs room for a whole uncompressed dump in the temporary folder, when made and when restored",
            may_be_partial=True,
        ),
        Way(
            Method.DUMP_PLAIN,
            Format.PG_PLAIN,
            "SQL text for psql, without owners and rights",
            "reading and comparing by people; restoring where only psql is",
            "one session restores it; not in place, since it does not know who owns what",
            may_be_partial=True,
        ),
        Way(
            Method.BASE,
            Format.PG_BASE,
            "the files of the whole server, all its databases, by pg_basebackup",
            "large databases: restoring is an unpack instead of building every index; disasters",
            "the same major version; a role with REPLICATION; no tablespaces; what others write is not compared",
        ),
        Way(
            Method.INCREMENT,
            Format.PG_INCREMENT,
            "the blocks that changed since the last base backup or increment, by pg_basebackup --incremental",
            "backups every hour of a large server of which little changes",
            "as for base; PostgreSQL 17 or newer with summarize_wal = on; restoring needs every one that it builds on",
        ),
        Way(
            Method.SNAPSHOT,
            Format.RDS_SNAPSHOT,
            "a snapshot of the whole instance, taken and kept by Amazon RDS",
            "RDS, where it is made before every migration: quick for large databases, nothing is read by us",
            "restored as a new instance only, never in place; needs `rds` in the configuration; paid by the month",
        ),
    ),
}


def way_to(engine: str, method: Method | None) -> Way:
    """The way that is asked for on this engine, or its default; UsageError names those that there are."""
    ways = WAYS[engine]
    found = next((way for way in ways if method in (None, way.method)), None)
    if found is None:
        known = ", ".join(way.method for way in ways)
        raise UsageError(
            f"{engine} has no backup by {method}", why=f"there are: {known}", hint="handrail backup explain"
        )
    return found


def first_method(increment: DumpRequest) -> Method:
    """How the whole backup is made that such increments build on."""
    return Method.BASE if increment.is_of_a_server else Method.COPY


def request_of(
    way: Way, *, tables: tuple[TableName, ...] = (), schema_only: bool = False, jobs: int = 2
) -> DumpRequest:
    """What to ask of the engine. UsageError for a part of what can only be taken whole."""
    if tables and schema_only:
        raise UsageError("--table and --schema-only exclude each other", hint="leave one out")
    if (tables or schema_only) and not way.may_be_partial:
        raise UsageError(
            f"{way.method} takes the whole database",
            why="--table and --schema-only are for pg_dump",
            hint="leave them out",
        )
    return DumpRequest(way.format, tables, schema_only, jobs)


def part_of(tables: tuple[TableName, ...], schema_only: bool) -> str:
    """What a backup of a part holds; "" for a whole one."""
    if schema_only:
        return "definitions and no rows"
    return f"the rows of {', '.join(map(str, tables))} only" if tables else ""


def require_replacement(request: DumpRequest, backup: str) -> None:
    """UsageError for a backup that cannot take the place of a whole live database."""
    if not request.is_whole:
        part = part_of(request.tables, request.schema_only)
        raise UsageError(f"backup {backup} cannot replace the database", why=f"it holds {part}", hint=_INTO)
    if request.is_of_a_server:
        raise UsageError(
            f"backup {backup} cannot replace the database", why="it is a whole server's files", hint=_FOLDER
        )
    if request.is_hosted:
        raise UsageError(
            f"backup {backup} cannot replace the database",
            why="it is a snapshot of the whole instance, which RDS restores as a new one only",
            hint=_INSTANCE,
        )
    if request.format is Format.PG_PLAIN:
        raise UsageError(
            f"backup {backup} cannot replace the database", why="plain SQL does not say who owns what", hint=_INTO
        )


_FOLDER: Final = "restore it into a new folder, and start a server on it: --into FOLDER"
_INSTANCE: Final = "restore it as a new instance: --into NAME; then: handrail rds switch --to NAME"
_INTO: Final = "restore it into a new database: --into NAME"


def hosted_elsewhere() -> BackupError:
    """For a database of which this environment does not say that RDS hosts it."""
    return BackupError(
        "Its content is a snapshot that Amazon RDS keeps.",
        why="`rds` of the environment is not set, so nobody can be asked for it.",
        hint=f'Say where it is: rds = {{instance = "…", region = "…"}}; {page("rds")}',
    )


def is_known(text: str) -> bool:
    """Whether this handrail can read a backup of that format."""
    return text in set(Format)


def known_format(text: str) -> Format:
    """The format that a manifest names; BackupError when a newer handrail wrote it."""
    try:
        return Format(text)
    except ValueError:
        raise BackupError(
            f"the backup's format {text!r} is not known",
            why="a newer handrail made it",
            hint="upgrade handrail: pip install -U handrail",
        ) from None
