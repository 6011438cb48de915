"""What differs between two backups of an environment, told from their manifests alone: nothing is restored or read. A
database that was looked at (`DatabaseState`) is compared in the same way.

`compare_backups` goes from the first to the second. Where the manifests cannot tell, that is said and never guessed: a
table whose columns changed has other digests whatever became of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from handrail.amounts import count
from handrail.errors import UsageError
from handrail.facts import (
    ColumnFacts,
    DatabaseFacts,
    Fingerprint,
    ObjectKind,
    SchemaObject,
    TableFacts,
    TableFingerprint,
    TableName,
)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Compared(Protocol):
    """What is compared of a backup, or of a database."""

    @property
    def id(self) -> str: ...

    @property
    def database(self) -> str: ...

    @property
    def engine(self) -> str: ...

    @property
    def server_version(self) -> str: ...

    @property
    def revisions(self) -> tuple[str, ...]: ...

    @property
    def facts(self) -> DatabaseFacts: ...

    @property
    def fingerprint(self) -> Fingerprint: ...

    @property
    def tables(self) -> tuple[TableName, ...]: ...

    @property
    def schema_only(self) -> bool: ...

    @property
    def changed_meanwhile(self) -> tuple[TableName, ...]: ...

    @property
    def sealed_digests(self) -> str: ...


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """A whole database as it was when somebody looked; `id` says in words which one it is."""

    id: str
    revisions: tuple[str, ...]
    facts: DatabaseFacts
    fingerprint: Fingerprint
    database: str = ""
    tables: tuple[TableName, ...] = ()
    schema_only: bool = False
    changed_meanwhile: tuple[TableName, ...] = ()
    sealed_digests: str = ""

    @property
    def engine(self) -> str:
        return self.facts.engine

    @property
    def server_version(self) -> str:
        return self.facts.version


class Change(StrEnum):
    """What became of something on the way from the first backup to the second."""

    ADDED = "added"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was. `kind` says what it is (table, column, index, revision, …); `before` and `after`
    are the engine's own text of it, "" where it is not there."""

    kind: str
    name: str
    change: Change
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """In words, for people: "changed  column bookings.seats: integer, now bigint"."""
        if self.change is Change.CHANGED:
            what = f"{self.before or 'as named'}, now {self.after or 'as named'}"
        else:
            what = self.before or self.after
        return f"{self.change:<8} {self.kind} {self.name}{f': {what}' if what else ''}"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A table whose rows are not the same. A number is None where the backup has no such table; equal numbers tell that
    values changed."""

    table: TableName
    before: int | None
    after: int | None

    @property
    def delta(self) -> int:
        return (self.after or 0) - (self.before or 0)

    @property
    def text(self) -> str:
        """In words, for people: "rows     bookings: 1,200, now 1,250 (+50)"."""
        if self.before == self.after:
            return f"values   {self.table}: {count(self.before or 0, 'row')} as before, with other values"
        sides = ["no table" if number is None else f"{number:,}" for number in (self.before, self.after)]
        return f"rows     {self.table}: {sides[0]}, now {sides[1]} ({self.delta:+,})"


@dataclass(frozen=True, slots=True)
class BackupDifference:
    """What differs from the backup `first` to the backup `second`: where they come from (`origin`: database, server,
    revision), the schema, rows, sequences. `not_compared` tells in words what the manifests cannot."""

    first: str
    second: str
    origin: tuple[Difference, ...] = ()
    schema: tuple[Difference, ...] = ()
    rows: tuple[RowDifference, ...] = ()
    sequences: tuple[Difference, ...] = ()
    not_compared: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing differs, of what could be compared."""
        return not (self.origin or self.schema or self.rows or self.sequences)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in words, a line each; the wording may change."""
        parts: tuple[Difference | RowDifference, ...] = (*self.origin, *self.schema, *self.rows, *self.sequences)
        told = [one.text for one in parts]
        return (*told, *(f"not compared: {limit}" for limit in self.not_compared))


def compare_backups(first: Compared, second: Compared) -> BackupDifference:
    """Everything that differs from the first to the second. UsageError when they are of different engines."""
    if first.engine != second.engine:
        raise UsageError(
            f"backups {first.id} and {second.id} cannot be compared",
            why=f"one is of {first.engine}, the other of {second.engine}: types and definitions are worded differently",
            hint="choose two of one engine: handrail backup list",
        )
    rows, unknown = _rows(first, second)
    return BackupDifference(
        first.id,
        second.id,
        tuple(_origin(first, second)),
        tuple(_schema(first, second)),
        rows,
        tuple(_sequences(first, second)),
        (*_limits(first, second), *unknown),
    )


def _pairs(
    kind: str,
    before: Mapping[_Key, _Value],
    after: Mapping[_Key, _Value],
    name: Callable[[_Key], str],
    text: Callable[[_Value], str],
) -> Iterator[Difference]:
    """What was added, is gone or reads differently, in the order of the names."""
    for key in sorted({**before, **after}, key=name):
        old, new = (text(side[key]) if key in side else "" for side in (before, after))
        if key not in before:
            yield Difference(kind, name(key), Change.ADDED, after=new)
        elif key not in after:
            yield Difference(kind, name(key), Change.GONE, before=old)
        elif old != new:
            yield Difference(kind, name(key), Change.CHANGED, old, new)


def _origin(first: Compared, second: Compared) -> Iterator[Difference]:
    sides = (
        ("database", first.database, second.database),
        ("server", first.server_version, second.server_version),
    )
    for kind, old, new in sides:
        if old != new:
            yield Difference(kind, first.engine, Change.CHANGED, old, new)
    before, after = (dict.fromkeys(record.revisions, "") for record in (first, second))
    yield from _pairs("revision", before, after, str, str)


def _schema(first: Compared, second: Compared) -> Iterator[Difference]:
    before, after = ({table.name: table for table in record.facts.tables} for record in (first, second))
    yield from _pairs("table", before, after, str, lambda _: "")
    for name in sorted(before.keys() & after.keys(), key=str):
        yield from _columns(before[name], after[name])
    is_worded = first.facts.is_worded_as(second.facts)
    objects = [{_key(item): item for item in record.facts.objects} for record in (first, second)]
    for kind in ObjectKind:
        old, new = ({key: item for key, item in side.items() if item.kind is kind} for side in objects)
        yield from _pairs(kind.value, old, new, _object_name, lambda item: _object_text(item, is_worded=is_worded))


def _key(item: SchemaObject) -> tuple[str, str]:
    return str(item.table or ""), item.name


def _object_name(key: tuple[str, str]) -> str:
    table, name = key
    return f"{name} on {table}" if table else name


def _object_text(item: SchemaObject, *, is_worded: bool) -> str:
    text = ", ".join(item.definition.split("\n")) if item.kind is ObjectKind.ENUM else item.definition
    return f"{text if is_worded else ''}{'' if item.is_valid else ' (not valid)'}".strip()


def _columns(old: TableFacts, new: TableFacts) -> Iterator[Difference]:
    before, after = ({column.name: column for column in table.columns} for table in (old, new))
    yield from _pairs("column", before, after, lambda name: f"{old.name}.{name}", _column_text)
    orders = [", ".join(table.column_names()) for table in (old, new)]
    if before.keys() == after.keys() and orders[0] != orders[1]:
        yield Difference("column order", str(old.name), Change.CHANGED, *orders)
    keys = [", ".join(table.primary_key) for table in (old, new)]
    if keys[0] != keys[1]:
        change = Change.ADDED if not keys[0] else Change.GONE if not keys[1] else Change.CHANGED
        yield Difference("primary key", str(old.name), change, *keys)


def _column_text(column: ColumnFacts) -> str:
    """As SQL says it: "text COLLATE C NOT NULL DEFAULT 'x'"."""
    default = "" if column.default is None else f"{'GENERATED' if column.generated else 'DEFAULT'} {column.default}"
    parts = (
        column.type,
        f"COLLATE {column.collation}" if column.collation else "",
        "" if column.nullable else "NOT NULL",
        "NOT NULL for new rows only" if column.not_null_unchecked else "",
        default or ("GENERATED" if column.generated else ""),
    )
    return " ".join(filter(None, parts))


def _sequences(first: Compared, second: Compared) -> Iterator[Difference]:
    if not (first.schema_only or second.schema_only):
        before, after = (dict(record.fingerprint.sequences) for record in (first, second))
        yield from _pairs("sequence", before, after, str, str)


def _rows(first: Compared, second: Compared) -> tuple[tuple[RowDifference, ...], tuple[str, ...]]:
    """Tables whose rows differ; and in words those of which no more is known than the number, or not even that."""
    before, after = ({table.table: table for table in record.fingerprint.tables} for record in (first, second))
    moving = {*first.changed_meanwhile, *second.changed_meanwhile}
    differing, unknown = [], []
    for name in sorted(before.keys() | after.keys(), key=str):
        old, new = before.get(name), after.get(name)
        if name in moving:
            unknown.append(f"rows of {name}: it was written to while its files were copied")
        elif old is None or new is None:
            is_there = old or new
            is_part = first.facts.table(name) and second.facts.table(name)  # one holds the rows of other tables only
            if is_there and is_there.rows and not is_part:
                differing.append(RowDifference(name, old.rows if old else None, new.rows if new else None))
        elif old.rows != new.rows:
            differing.append(RowDifference(name, old.rows, new.rows))
        elif (same := _same_rows(name, first, second)) is None:
            unknown.append(f"values in {name}: its columns changed, so its rows are compared by number only")
        elif not same:
            differing.append(RowDifference(name, old.rows, new.rows))
    return tuple(differing), tuple(unknown)


def _same_rows(name: TableName, first: Compared, second: Compared) -> bool | None:
    """Whether a table with as many rows holds the same values; None when that cannot be told."""
    if first.fingerprint.algorithm != second.fingerprint.algorithm or first.sealed_digests or second.sealed_digests:
        return True  # said once for all tables
    old, new = (_digests(record.fingerprint.table(name)) for record in (first, second))
    if old == new or sorted(old.values()) == sorted(new.values()):  # a renamed column keeps its digest
        return True
    tables = [record.facts.table(name) for record in (first, second)]
    layouts = [table and [(column.name, column.type, column.collation) for column in table.columns] for table in tables]
    return False if layouts[0] == layouts[1] and old.keys() == new.keys() else None


def _digests(table: TableFingerprint | None) -> dict[tuple[str, ...], str]:
    return {group.columns: group.digest for group in table.digests} if table else {}


def _limits(first: Compared, second: Compared) -> Iterator[str]:
    """What no table of these two can be compared by."""
    if first.fingerprint.algorithm != second.fingerprint.algorithm:
        one, other = first.fingerprint.algorithm, second.fingerprint.algorithm
        yield f"values: digested as {one} in the one and {other} in the other, so rows are compared by number only"
    sealed = [record.id for record in (first, second) if record.sealed_digests]
    if sealed:
        which = " and ".join(sealed)
        yield f"values: the digests of {which} are encrypted (--identity FILE), so rows are compared by number only"
    if not first.facts.is_worded_as(second.facts):
        yield (
            "definitions of indexes, constraints, views and the like: PostgreSQL"
            f" {first.server_version} and {second.server_version} word them differently, so they are compared by name"
        )
    for record in (first, second):
        if record.schema_only:
            yield f"rows and sequences: {record.id} holds definitions only"
        elif record.tables:
            yield f"rows of other tables: {record.id} holds those of {', '.join(map(str, record.tables))} only"
