"""What is known about a database, as frozen values: address, schema, capabilities, fingerprints, locks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Capability(StrEnum):
    """What an engine can do. Ask for one of these, never for a brand."""

    TRANSACTIONAL_DDL = "transactional_ddl"
    #: Other sessions go on writing while a migration runs; a proof cannot assume that it is alone.
    CONCURRENT_WRITERS = "concurrent_writers"
    #: One transaction may hold every revision of a run without harm (the engine has a single writer anyway).
    WHOLE_RUN_TRANSACTION = "whole_run_transaction"
    #: Locks and table rewrites of a statement can be observed.
    LOCK_OBSERVATION = "lock_observation"


#: Tables that a replicator keeps in the database for itself: nobody's data, and in no models (Litestream's, on SQLite).
REPLICATOR_TABLES = frozenset({"_litestream_seq", "_litestream_lock"})


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is, whatever driver the project uses.

    `engine` is "sqlite" or "postgresql". For SQLite `database` is an absolute path, "" or ":memory:" and the
    other fields are empty. `options` are libpq keywords (sslmode, connect_timeout, host for a socket folder).
    The password is kept out of `repr`, `str` and every display.
    """

    engine: str
    database: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if self.engine == "sqlite":
            return f"sqlite:///{self.database}"
        who = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        host = self.host.rpartition("@")[2]  # before an @ stands the rest of a password that was not written as %40
        return f"{self.engine}://{who}{host or 'localhost'}{port}/{self.database}"


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table. `schema` is None for the default schema of the connection (always None on SQLite)."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column as the catalog shows it; `type` and `default` are the engine's own SQL text.

    `not_null_unchecked` names a NOT NULL constraint that holds for new rows only; the column is nullable then.
    `carries` is what else hangs on the column by the catalog ("comment", "policy p on table t"), so that another column
    in its place would come without it; None when that was not looked up. It is not compared: a proof does not judge it.
    """

    name: str
    type: str
    nullable: bool
    default: str | None = None
    generated: bool = False
    collation: str | None = None
    not_null_unchecked: str | None = None
    carries: tuple[str, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table: columns in their order; `rows_estimate` is None when the engine has no statistic.

    Estimate and size are measurements, not schema: tables that differ in them alone are equal."""

    name: TableName
    columns: tuple[ColumnFacts, ...]
    primary_key: tuple[str, ...] = ()
    rows_estimate: int | None = field(default=None, compare=False)
    size_bytes: int | None = field(default=None, compare=False)

    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class ObjectKind(StrEnum):
    """Schema objects beside tables and columns."""

    INDEX = "index"
    CONSTRAINT = "constraint"
    TRIGGER = "trigger"
    VIEW = "view"
    ENUM = "enum"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True, order=True)
class SchemaObject:
    """An index, constraint, trigger, view, enum or sequence.

    `name` is unique per kind and table (unnamed constraints get their definition as name). `definition` is
    normalised SQL text (enum: its labels joined by newlines), without a NOT VALID that `is_valid` tells. `is_valid` is
    False for an INVALID index and for a constraint that does not hold for every row by the engine's word: NOT VALID
    (only new rows are checked) or NOT ENFORCED (none are).
    """

    kind: ObjectKind
    name: str
    table: TableName | None
    definition: str
    is_valid: bool = True


@dataclass(frozen=True, slots=True, order=True)
class BrokenReference:
    """Rows whose foreign key points to nothing. `rows` is None when the engine cannot check the key at all (the columns
    it points to are not unique; then `columns` is empty)."""

    table: TableName
    columns: tuple[str, ...]
    parent: TableName
    rows: int | None

    def line(self) -> str:
        """ "orders.customer_id -> customers: 3 rows"."""
        key = f"{'.'.join(filter(None, (str(self.table), ','.join(self.columns))))} -> {self.parent}"
        if self.rows is None:
            return f"{key}: foreign key mismatch, it cannot be checked"
        return f"{key}: {self.rows} row{'' if self.rows == 1 else 's'}"


class _Same(Generic[_T]):
    """Stands for this very tuple, which is not looked into to be found in a cache: it may have 100,000 tables."""

    __slots__ = ("items",)

    def __init__(self, items: tuple[_T, ...]) -> None:
        self.items = items

    def __hash__(self) -> int:
        return id(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.items is other.items


@lru_cache(maxsize=4)
def _facts_by_name(tables: _Same[TableFacts]) -> Mapping[TableName, TableFacts]:
    return {table.name: table for table in tables.items}


@lru_cache(maxsize=4)
def _prints_by_name(tables: _Same[TableFingerprint]) -> Mapping[TableName, TableFingerprint]:
    return {table.table: table for table in tables.items}


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """One reading of a database's catalog. `version` is the server's (or library's), as text: "15.18"."""

    engine: str
    version: str
    capabilities: frozenset[Capability]
    tables: tuple[TableFacts, ...]
    objects: tuple[SchemaObject, ...]
    size_bytes: int

    def table(self, name: TableName) -> TableFacts | None:
        return _facts_by_name(_Same(self.tables)).get(name)

    def is_worded_as(self, other: DatabaseFacts) -> bool:
        """Whether definitions can be compared word by word: major versions of a server word them differently."""
        return self.engine != "postgresql" or self.version.partition(".")[0] == other.version.partition(".")[0]


ColumnGroup = tuple[str, ...]
#: For each table the column groups to digest. A table that is absent is digested whole (all its columns, in
#: their order, as one group); a table with an empty tuple is only counted.
FingerprintRequest = Mapping[TableName, tuple[ColumnGroup, ...]]


@dataclass(frozen=True, slots=True)
class GroupDigest:
    """An order-independent digest over one column group of all rows: equal multisets of (typed) row values have
    equal digests. The names of the columns do not enter it, their order does (so a renamed column keeps its digest)."""

    columns: ColumnGroup
    digest: str


@dataclass(frozen=True, slots=True)
class TableFingerprint:
    """Row count and digests of one table; `seconds` is what it took to compute."""

    table: TableName
    rows: int
    digests: tuple[GroupDigest, ...]
    seconds: float = field(default=0.0, compare=False)

    def digest(self, columns: ColumnGroup) -> str | None:
        return next((group.digest for group in self.digests if group.columns == columns), None)

    def having(self, groups: tuple[ColumnGroup, ...]) -> TableFingerprint | None:
        """With the digests of these groups only; None when one is not known."""
        known = {group.columns: group for group in self.digests}
        if not known.keys() >= set(groups):
            return None
        return replace(self, digests=tuple(known[group] for group in groups))

    def merged(self, other: TableFingerprint) -> TableFingerprint:
        """With those digests of `other`, which is of the same content, that are not known here."""
        more = tuple(group for group in other.digests if self.digest(group.columns) is None)
        return replace(self, digests=self.digests + more)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprints of all tables (sorted by name) and the last values of sequences (AUTOINCREMENT counters on SQLite).

    `algorithm` names how the digests were made; digests of different algorithms are never compared. `content` is a
    digest of how the engine stores it all, where that is cheap ("" elsewhere), `KIND:DIGEST`: equal ones mean equal
    content, different ones of a kind that the engine stores something differently, others nothing.
    """

    algorithm: str
    tables: tuple[TableFingerprint, ...]
    sequences: tuple[tuple[str, int], ...] = ()
    content: str = field(default="", compare=False)

    def without(self, tables: Collection[TableName]) -> Fingerprint:
        """The same, silent about these tables."""
        return replace(self, tables=tuple(one for one in self.tables if one.table not in tables))

    def table(self, name: TableName) -> TableFingerprint | None:
        return _prints_by_name(_Same(self.tables)).get(name)

    def having(self, request: FingerprintRequest) -> Fingerprint | None:
        """With the digests of these groups only, where a table is named; None when one is not known."""
        tables = [table.having(request[table.table]) if table.table in request else table for table in self.tables]
        known = tuple(table for table in tables if table is not None)
        return replace(self, tables=known) if len(known) == len(tables) else None

    def merged(self, other: Fingerprint) -> Fingerprint:
        """With those digests of `other`, which is of the same content, that are not known here."""
        more = {table.table: table for table in other.tables}
        tables = (table.merged(more[table.table]) if table.table in more else table for table in self.tables)
        return replace(self, tables=tuple(tables))

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class Sharing:
    """Lets what is equal in many tables be one object, for as long as they are read: 100,000 tables that look alike
    then take a third of the memory. Texts are shared with every other reading, too."""

    #: More kinds of columns are not remembered: tables that differ so much have nothing to share.
    _MOST = 10_000

    def __init__(self) -> None:
        self._names: dict[TableName, TableName] = {}
        self._groups: dict[ColumnGroup, ColumnGroup] = {}
        self._columns: dict[object, tuple[ColumnFacts, ...]] = {}

    def name(self, table: TableName) -> TableName:
        known = self._names.get(table)
        if known is None:
            known = TableName(intern(table.name), table.schema)
            self._names[known] = known  # not by the one that was asked for: it would stay beside it
        return known

    def group(self, columns: ColumnGroup) -> ColumnGroup:
        known = self._groups.get(columns)
        if known is None and len(self._groups) < self._MOST:
            known = self._groups[columns] = columns
        return columns if known is None else known

    def columns(self, columns: tuple[ColumnFacts, ...]) -> tuple[ColumnFacts, ...]:
        # What is not compared is a part of the key: equal columns may carry different things.
        key = (columns, tuple(column.carries for column in columns))
        known = self._columns.get(key)
        if known is None and len(self._columns) < self._MOST:
            known = self._columns[key] = columns
        return columns if known is None else known

    def table(self, one: TableFacts) -> TableFacts:
        name, columns, key = self.name(one.name), self.columns(one.columns), self.group(one.primary_key)
        return TableFacts(name, columns, key, one.rows_estimate, one.size_bytes)

    def object(self, one: SchemaObject) -> SchemaObject:
        table = None if one.table is None else self.name(one.table)
        return SchemaObject(one.kind, intern(one.name), table, intern(one.definition), one.is_valid)

    def fingerprint(self, one: TableFingerprint) -> TableFingerprint:
        digests = tuple(GroupDigest(self.group(each.columns), intern(each.digest)) for each in one.digests)
        # A table has one fingerprint: its name is looked up, and not remembered for another.
        name = self._names.get(one.table) or TableName(intern(one.table.name), one.table.schema)
        return TableFingerprint(name, one.rows, digests, one.seconds)


#: Is told of each table that has been digested.
OnTable = Callable[[TableFingerprint], None]


def unheard(_: TableFingerprint) -> None:
    """For nobody who listens."""


#: For each table (by its name after a path) the columns that the path added to it.
AddedColumns = Mapping[TableName, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ColumnCompleteness:
    """How an added column was filled: rows, NULLs, and rows whose value is not the column's default (None when there is
    no default, or one that is no constant: then there is nothing to compare with)."""

    table: TableName
    column: str
    rows: int
    nulls: int
    not_default: int | None


@dataclass(frozen=True, slots=True, order=True)
class HeldLock:
    """A lock on a table, by PostgreSQL's mode name without "Lock" ("AccessExclusive")."""

    table: TableName
    mode: str


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the migration's own session holds right now: its table locks, and the storage identity of each table
    (relfilenode on PostgreSQL) by which a table rewrite is recognised."""

    locks: frozenset[HeldLock] = frozenset()
    storage: Mapping[TableName, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowWrites:
    """Rows of a table that one session wrote: also those that an UPDATE gave the values they had."""

    table: TableName
    inserted: int
    updated: int
    deleted: int

    def plus(self, other: RowWrites) -> RowWrites:
        inserted, updated = self.inserted + other.inserted, self.updated + other.updated
        return RowWrites(other.table, inserted, updated, self.deleted + other.deleted)

    def named(self, table: TableName) -> RowWrites:
        return RowWrites(table, self.inserted, self.updated, self.deleted)


@dataclass(frozen=True, slots=True)
class Question:
    """Rows to count in the live database: those of `table` for which the SQL condition is true ("email IS NULL"), or
    with `duplicates` the rows that share their (non-NULL) values in these columns with another row, or with `parent`
    those whose `columns` (non-NULL) have no row in it."""

    table: TableName
    condition: str = ""
    columns: tuple[str, ...] = ()
    duplicates: bool = False
    parent: TableName | None = None
    parent_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteActivity:
    """Rows written per table since the statistics began (inserted, updated, deleted), by all sessions."""

    writes: Mapping[TableName, tuple[int, int, int]] = field(default_factory=dict)
