"""Follows names through the operations of several revisions: renames in chains, drops, additions, declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from handrail.facts import TableFacts, TableName
from handrail.migrations.declarations import Declared, Reading, read_declaration
from handrail.migrations.operations import Operation, OperationKind
from handrail.migrations.revision import Revision


@dataclass(slots=True)
class FollowedTable:
    """A table on its way. `columns` maps today's name of a column to its name before the path (None: added);
    the other sets hold names before the path, or today's for a column that was added."""

    before: TableName | None
    name: TableName | None
    columns: dict[str, str | None] = field(default_factory=dict)
    #: False when nobody listed the columns; then every name is taken to be there.
    is_listed: bool = False
    dropped: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    vanishing: set[str] = field(default_factory=set)
    rows_declared: bool = False
    rows_added: bool = False
    may_vanish: bool = False
    constraints_touched: bool = False
    #: Added columns that were altered afterwards, by today's names.
    added_then_altered: set[str] = field(default_factory=set)

    def column(self, name: str) -> str:
        """Today's name as the table spells it: exact, or the only one that differs in case."""
        if name in self.columns:
            return name
        alike = [known for known in self.columns if known.casefold() == name.casefold()]
        return alike[0] if len(alike) == 1 else name

    def original(self, name: str) -> str | None:
        """The name before the path of a column of today; None for one that the path added."""
        return self.columns.get(name, None if self.before is None else name)

    def has_column(self, name: str) -> bool:
        return self.column(name) in self.columns


class Composition:
    """The tables as they are known, first those of the catalog, then as each operation leaves them."""

    def __init__(self, tables: Iterable[TableFacts]) -> None:
        self.today: dict[TableName, FollowedTable] = {}
        self.gone: list[FollowedTable] = []
        self.objects_dropped: set[tuple[TableName | None, str | None]] = set()
        self.declared_names: set[str] = set()
        self.unresolved: list[Declared] = []
        for table in tables:
            columns: dict[str, str | None] = {column.name: column.name for column in table.columns}
            self.today[table.name] = FollowedTable(table.name, table.name, columns, is_listed=True)

    def all_tables(self) -> Iterator[FollowedTable]:
        yield from self.gone
        yield from self.today.values()

    def revision(self, revision: Revision, operations: Sequence[Operation]) -> None:
        """Follow one revision. A declared name may be one from before or from after the revision's operations."""
        declared = read_declaration(revision.source, revision.path).tables
        missing = [item for item in declared if not self._declare(item)]
        for operation in operations:
            self._follow(operation)
        raw = " ".join(operation.sql or "" for operation in operations).casefold()
        self.unresolved += [item for item in missing if not (self._declare(item) or self._declare_unseen(item, raw))]
        self.declared_names |= {item.parts[-1] for item in declared if len(item.parts) == 1}

    def _declare(self, declared: Declared) -> bool:
        """Apply a declaration to what it names; False when nothing of that name is there today."""
        for reading in declared.readings():
            table = self._find(reading.table)
            if table is not None and _names(reading, table):
                _mark(table, reading.column, may_vanish=declared.may_vanish)
                return True
        return False

    def _declare_unseen(self, declared: Declared, raw: str) -> bool:
        """Apply a declaration to a column that raw SQL of the script speaks of, and may have made."""
        if not all(part.casefold() in raw for part in declared.parts[-2:]):
            return False
        for reading in declared.readings():
            table = self._find(reading.table)
            if table is not None and reading.column is not None:
                table.declared.add(reading.column)
        return True

    def _find(self, name: TableName) -> FollowedTable | None:
        if name in self.today:
            return self.today[name]
        alike = [table for known, table in self.today.items() if _alike(known, name)]
        return alike[0] if len(alike) == 1 else None

    def _get(self, name: TableName) -> FollowedTable:
        """The table of today; one that the catalog did not list is taken to have been there."""
        found = self._find(name)
        if found is None:
            found = self.today[name] = FollowedTable(name, name)
        return found

    def _follow(self, operation: Operation) -> None:
        if operation.kind is OperationKind.DROP_INDEX:
            self._drop_object(operation)
        elif operation.table is not None:
            follow = FOLLOWERS.get(operation.kind)
            if follow is not None:
                follow(self, operation, operation.table)

    def _create_table(self, operation: Operation, name: TableName) -> None:
        replaced = self.today.pop(name, None)
        if replaced is not None and replaced.before is not None:
            # CREATE TABLE IF NOT EXISTS: what is there stays.
            self.today[name] = replaced
            return
        self.today[name] = FollowedTable(None, name)

    def _drop_table(self, operation: Operation, name: TableName) -> None:
        table = self._get(name)
        self.today = {known: other for known, other in self.today.items() if other is not table}
        if table.before is not None:
            table.name = None
            self.gone.append(table)

    def _rename_table(self, operation: Operation, name: TableName) -> None:
        table = self._get(name)
        self.today = {known: other for known, other in self.today.items() if other is not table}
        table.name = operation.new_table or name
        self.today[table.name] = table

    def _add_column(self, operation: Operation, name: TableName) -> None:
        if operation.column is not None:
            self._get(name).columns[operation.column] = None

    def _drop_column(self, operation: Operation, name: TableName) -> None:
        table, column = self._get(name), operation.column
        if column is None:
            return
        column = table.column(column)
        original = table.original(column)
        table.columns.pop(column, None)
        if original is not None:
            table.dropped.add(original)

    def _alter_column(self, operation: Operation, name: TableName) -> None:
        table, column = self._get(name), operation.column
        if column is None:
            return
        column = table.column(column)
        original = table.original(column)
        if original is not None:
            table.attributes.add(original)
            if operation.changes_values:
                table.altered.add(original)
        else:
            table.added_then_altered.add(operation.new_column or column)
        if operation.new_column is not None and operation.new_column != column:
            table.columns.pop(column, None)
            table.columns[operation.new_column] = original

    def _bulk_insert(self, operation: Operation, name: TableName) -> None:
        self._get(name).rows_added = True

    def _create_constraint(self, operation: Operation, name: TableName) -> None:
        self._get(name).constraints_touched = True

    def _drop_constraint(self, operation: Operation, name: TableName) -> None:
        self._get(name).constraints_touched = True
        self._drop_object(operation)

    def _drop_object(self, operation: Operation) -> None:
        table = None if operation.table is None else self._get(operation.table).before
        self.objects_dropped.add((table, operation.object_name))


Follower = Callable[[Composition, Operation, TableName], None]
FOLLOWERS: Mapping[OperationKind, Follower] = {
    OperationKind.CREATE_TABLE: Composition._create_table,
    OperationKind.DROP_TABLE: Composition._drop_table,
    OperationKind.RENAME_TABLE: Composition._rename_table,
    OperationKind.ADD_COLUMN: Composition._add_column,
    OperationKind.DROP_COLUMN: Composition._drop_column,
    OperationKind.ALTER_COLUMN: Composition._alter_column,
    OperationKind.BULK_INSERT: Composition._bulk_insert,
    OperationKind.CREATE_CONSTRAINT: Composition._create_constraint,
    OperationKind.DROP_CONSTRAINT: Composition._drop_constraint,
}


def _alike(known: TableName, name: TableName) -> bool:
    return known.schema == name.schema and known.name.casefold() == name.name.casefold()


def _names(reading: Reading, table: FollowedTable) -> bool:
    return reading.column is None or table.has_column(reading.column) or not table.is_listed


def _mark(table: FollowedTable, column: str | None, *, may_vanish: bool) -> None:
    if column is None:
        table.rows_declared = True
        table.may_vanish = table.may_vanish or may_vanish
        return
    name = table.column(column)
    original = table.original(name) or name
    table.declared.add(original)
    if may_vanish:
        table.vanishing.add(original)
