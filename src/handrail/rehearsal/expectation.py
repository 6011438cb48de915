"""What a path may change: composed from its operations and declarations, table by table, under both names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from handrail.facts import ColumnGroup, DatabaseFacts, FingerprintRequest, TableFacts, TableName
from handrail.migrations.operations import Operation, SourcePosition
from handrail.migrations.revision import RevisionPath
from handrail.rehearsal.composition import Composition


@dataclass(frozen=True, slots=True)
class RawStatement:
    """SQL that a script runs as text; what it changes is not declared by itself."""

    revision: str
    position: SourcePosition
    sql: str


@dataclass(frozen=True, slots=True)
class UnresolvedName:
    """A declared name that is no table and no column before or after; `close` is one that is there and much like it."""

    name: str
    position: SourcePosition
    close: str = ""


@dataclass(frozen=True, slots=True)
class TableExpectation:
    """What may happen to one table. Column names are those before the path, `added` those after it.

    `before` is None for a table that the path creates, `after` for one that it drops. `altered` columns may have
    other values, `attributes` another nullability or default; `declared` anything but vanish, `vanishing` also that.
    `rows_declared`: any change of rows; `rows_added`: more rows (bulk_insert). `added_then_altered` columns need not
    hold the default that they have now.
    """

    before: TableName | None
    after: TableName | None
    renamed: tuple[tuple[str, str], ...] = ()
    dropped: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    altered: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    vanishing: frozenset[str] = frozenset()
    rows_declared: bool = False
    rows_added: bool = False
    may_vanish: bool = False
    constraints_touched: bool = False
    added_then_altered: frozenset[str] = frozenset()

    def name_after(self, column: str) -> str:
        return dict(self.renamed).get(column, column)

    @property
    def is_touched(self) -> bool:
        """Whether anything at all is expected to change."""
        return self != TableExpectation(self.before, self.before)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a path may change. A table that is not among `tables` may not change at all.

    `objects_dropped` are names of indexes and constraints with their table's name before (None: not known);
    `declared_names` are single declared words, which may also name a view, an enum or a sequence.
    `unresolved` are declared names that declare nothing.
    `returns`: the way leads back to its start, so nothing may be left behind either.
    """

    tables: tuple[TableExpectation, ...] = ()
    objects_dropped: frozenset[tuple[TableName | None, str | None]] = frozenset()
    declared_names: frozenset[str] = frozenset()
    raw: tuple[RawStatement, ...] = ()
    unresolved: tuple[UnresolvedName, ...] = ()
    returns: bool = False

    def of(self, before: TableName) -> TableExpectation:
        """What may happen to a table that is there before; nothing when the path does not speak of it."""
        return next((table for table in self.tables if table.before == before), TableExpectation(before, before))

    def of_after(self, after: TableName) -> TableExpectation | None:
        return next((table for table in self.tables if table.after == after), None)

    def renamed(self) -> dict[TableName, TableName]:
        """Tables that have another name after the path."""
        pairs = ((table.before, table.after) for table in self.tables)
        return {old: new for old, new in pairs if old is not None and new is not None and old != new}

    def returning(self) -> Expectation:
        """Where a way leads back to its start nothing may differ: the expectation of a round trip."""
        return Expectation(returns=True)


def expect(
    path: RevisionPath, operations: Mapping[str, Sequence[Operation]], facts: DatabaseFacts | None
) -> Expectation:
    """Compose the operations of each revision (executed or read) and the declarations in its script.

    `facts` is the catalog before the path; it decides what `a.b` means in a declaration, and the case of names.
    """
    composition = Composition(() if facts is None else facts.tables)
    objects = set() if facts is None else {thing.name for thing in facts.objects}
    raw: list[RawStatement] = []
    for revision in path.revisions:
        composition.revision(revision, operations.get(revision.id, ()))
        raw.extend(_raw_statements(operations.get(revision.id, ())))
    return Expectation(
        tables=tuple(_frozen(composition)),
        objects_dropped=frozenset(composition.objects_dropped),
        declared_names=frozenset(composition.declared_names),
        raw=tuple(raw),
        unresolved=tuple(_unresolved(composition, objects)),
    )


def expect_each(
    path: RevisionPath, operations: Mapping[str, Sequence[Operation]], facts: Mapping[str, DatabaseFacts]
) -> dict[str, Expectation]:
    """One expectation per revision; `facts` is the catalog before each of them."""
    return {
        revision.id: expect(replace(path, revisions=(revision,)), operations, facts.get(revision.id))
        for revision in path.revisions
    }


def column_groups(expectation: Expectation, facts: DatabaseFacts) -> tuple[FingerprintRequest, FingerprintRequest]:
    """For each surviving table the columns whose values must not change, by the names before and by those after.

    Both requests have the same tables in the same order of columns. A table that may change as a whole, or of which
    no column is kept, is only counted. Tables that the path creates or drops are in neither.
    """
    before: dict[TableName, tuple[ColumnGroup, ...]] = {}
    after: dict[TableName, tuple[ColumnGroup, ...]] = {}
    for table in facts.tables:
        expected = expectation.of(table.name)
        if expected.after is None:
            continue
        kept = kept_columns(expected, table)
        before[table.name] = (kept,) if kept else ()
        after[expected.after] = (tuple(expected.name_after(column) for column in kept),) if kept else ()
    return before, after


def kept_columns(expected: TableExpectation, table: TableFacts) -> ColumnGroup:
    """The columns whose values must be the same after; () for a table that may change as a whole."""
    if expected.rows_declared or expected.rows_added:
        return ()
    free = expected.dropped | expected.altered | expected.declared
    kept = [column for column in table.columns if column.name not in free]
    if free:  # what is computed from a column that may change may change with it
        kept = [column for column in kept if not column.generated]
    return tuple(column.name for column in kept)


def _raw_statements(operations: Sequence[Operation]) -> Iterable[RawStatement]:
    for operation in operations:
        if operation.sql:
            yield RawStatement(operation.revision, operation.position, operation.sql)


def _unresolved(composition: Composition, objects: set[str]) -> Iterator[UnresolvedName]:
    there = sorted(objects)
    for table in composition.all_tables():
        for known in filter(None, {table.before, table.name}):
            there += [str(known), *(f"{known}.{column}" for column in table.columns)]
    for declared in composition.unresolved:
        name = ".".join(declared.parts)
        if name not in objects:
            close = difflib.get_close_matches(name, there, n=1, cutoff=0.7)
            yield UnresolvedName(name, declared.position, close[0] if close else "")


def _frozen(composition: Composition) -> Iterable[TableExpectation]:
    for table in composition.all_tables():
        expected = TableExpectation(
            before=table.before,
            after=table.name,
            renamed=tuple(sorted((old, new) for new, old in table.columns.items() if old is not None and old != new)),
            dropped=frozenset(table.dropped),
            added=frozenset(new for new, old in table.columns.items() if old is None),
            altered=frozenset(table.altered),
            attributes=frozenset(table.attributes),
            declared=frozenset(table.declared),
            vanishing=frozenset(table.vanishing),
            rows_declared=table.rows_declared,
            rows_added=table.rows_added,
            may_vanish=table.may_vanish,
            constraints_touched=table.constraints_touched,
            added_then_altered=frozenset(table.added_then_altered),
        )
        if expected.is_touched:
            yield expected
