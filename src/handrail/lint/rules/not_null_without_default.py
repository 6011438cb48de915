"""HR-DD101: a NOT NULL column without server_default, added to a table that has rows."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from handrail.facts import DatabaseFacts, TableName
from handrail.lint.change_rule import follow
from handrail.lint.finding import Edit, Finding, Severity, apply_edits, source_text
from handrail.lint.repairs import arguments, one_line, over
from handrail.lint.rule import Case, LintContext
from handrail.lint.rules.serial_column import is_numbered
from handrail.lint.samples import START
from handrail.lint.split_column import ColumnSplit, column_split, is_used_otherwise, nullable_edit
from handrail.migrations.calls import ReadOperation
from handrail.migrations.changes import AddColumn, Change, NotAnalysable, RenameTable, Verb, WriteRows
from handrail.migrations.columns import ColumnText
from handrail.migrations.dialects import ANY
from handrail.migrations.operations import Operation, OperationKind
from handrail.migrations.reading import FunctionReading, ScriptReading
from handrail.migrations.revision import Direction

#: A default that every engine takes for a column of this type (also SQLite, whose ADD COLUMN wants a constant), and
#: gives back as one of its values: SQLite keeps a uuid without dashes, and would make text of an interval or of bytes.
CANDIDATES: Mapping[str, str] = {
    **dict.fromkeys(("Integer", "BigInteger", "SmallInteger", "INTEGER", "BIGINT", "SMALLINT", "INT"), "'0'"),
    **dict.fromkeys(("Numeric", "Float", "Double", "NUMERIC", "DECIMAL", "FLOAT", "REAL"), "'0'"),
    **dict.fromkeys(("Boolean", "BOOLEAN"), "'0'"),
    **dict.fromkeys(("String", "Text", "Unicode", "UnicodeText", "AutoString", "VARCHAR", "TEXT"), "''"),
    **dict.fromkeys(("DateTime", "TIMESTAMP", "DATETIME"), "'1970-01-01 00:00:00'"),
    **dict.fromkeys(("Date", "DATE"), "'1970-01-01'"),
    **dict.fromkeys(("Time", "TIME"), "'00:00:00'"),
    **dict.fromkeys(("JSON", "JSONB", "ARRAY"), "'{}'"),
    **dict.fromkeys(("Uuid", "UUID", "GUID"), "'00000000000000000000000000000000'"),
}
#: Put where no default can be derived from the type; a person has to choose.
TO_CHOOSE = "'<choose a value>'"


class NotNullWithoutDefault:
    code: ClassVar[str] = "HR-DD101"
    title: ClassVar[str] = "NOT NULL column without server_default"
    why: ClassVar[str] = (
        "The rows that are there have no value for the new column, and the database refuses it: the upgrade fails on "
        "every table that has rows, while it passes on the empty one of a test. To add, fill and require it in one "
        "go keeps readers waiting on PostgreSQL while all rows are written (measured for 2 million, 430 MB: 12.9 s; "
        "in the three revisions of lint --fix a reader waited 0.03 s at most)."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as autogenerate writes it",
            {
                "add.py": START + "    op.add_column('bookings', sa.Column('attendance_status', "
                "sa.Enum('SCHEDULED', 'ATTENDED', name='attendancestatus'), nullable=False))\n"
            },
        ),
        Case(
            "in batch mode",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('seats', sa.Integer(), server_default=None, nullable=False))\n"
            },
        ),
        Case(
            "as SQL",
            {"sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN seats integer NOT NULL')\n"},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "for another engine only",
            {
                "other.py": START + "    if op.get_bind().dialect.name == 'mssql':\n"
                "        op.add_column('bookings', sa.Column('seats', sa.Integer(), nullable=False))\n"
            },
        ),
        Case(
            "on a table made by SQL",
            {
                "sql.py": START + "    op.execute('CREATE TABLE rooms (id integer PRIMARY KEY)')\n"
                "    op.add_column('rooms', sa.Column('name', sa.String(), nullable=False))\n"
            },
        ),
        Case(
            "with a server_default",
            {
                "add.py": START + "    op.add_column('bookings', sa.Column('attendance_status', "
                "sa.String(50), server_default='SCHEDULED', nullable=False))\n"
            },
        ),
        Case("nullable", {"add.py": START + "    op.add_column('bookings', sa.Column('note', sa.Text()))\n"}),
        Case(
            "on a table made by the same script",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True))\n"
                "    op.add_column('rooms', sa.Column('name', sa.String(), nullable=False))\n"
            },
        ),
    )

    def check(self, context: LintContext) -> Iterable[Finding]:
        made, created = _Made(), set[TableName]()
        for script in context.scripts:
            if not context.is_path:
                made, created = _Made(), set()
            function = script.function(context.direction)
            spared, in_sql = _look_around(function.changes, context.engines, created)
            unsafe = []
            for read in function.reads:
                made.follow(read.operation)
                is_spared = made.is_empty(read.operation.table) or (id(read.call), read.operation.table) in spared
                if _is_unsafe(read) and not is_spared:
                    unsafe.append((read, read.operation.table and made.name_before(read.operation.table)))
            splits = _splits(function, [read for read, _ in unsafe], context)
            for read, before in unsafe:
                finding = self._finding(script, read, _severity(context.facts, before))
                split = splits.get(id(read))
                chain = split[1].together((), context.engines) if split else ()
                if split and chain:
                    finding = _as_split(script, read, finding, split[0])
                    finding = replace(finding, revisions=chain, split=split[1])
                yield finding
            for change in in_sql:
                yield self._in_sql(change, context.facts, made)

    def _in_sql(self, change: AddColumn, facts: DatabaseFacts | None, made: _Made) -> Finding:
        return Finding(
            rule=self.code,
            severity=_severity(facts, made.name_before(change.table)),
            file=change.place.path,
            line=change.place.line,
            column=change.place.column,
            message=f"{change.table}.{change.column.name} is NOT NULL without a default",
            why=self.why,
            fix_hint=f"ALTER TABLE {change.table} ADD COLUMN {change.column.name} {change.column.type} "
            f"DEFAULT {CANDIDATES.get(change.column.type_name.upper(), TO_CHOOSE)} NOT NULL",
        )

    def _finding(self, script: ScriptReading, read: ReadOperation, severity: Severity) -> Finding:
        assert read.column is not None  # noqa: S101 - _is_unsafe saw it
        edit = server_default_edit(read.column)
        hint = _corrected(script.revision.source, read.call, edit)
        what = f"{read.operation.table}.{read.column.name} is NOT NULL without a server_default"
        return Finding(
            rule=self.code,
            severity=severity,
            file=script.revision.path,
            line=read.call.lineno,
            column=read.call.col_offset,
            message=what,
            why=self.why,
            fix_hint=hint,
            edits=(edit,),
            is_suggestion=read.column.python_default is None,
        )


def _splits(
    function: FunctionReading, unsafe: Sequence[ReadOperation], context: LintContext
) -> Mapping[int, tuple[Edit, ColumnSplit]]:
    """The splits of what can be split for certain, by its identity: the column is written out in the call, nothing else
    is done to it, and every time that the call runs it is unsafe."""
    found: dict[int, tuple[Edit, ColumnSplit]] = {}
    for read in unsafe if context.direction is Direction.UPGRADE else ():
        table, column, edit = read.operation.table, read.column, nullable_edit(read)
        is_always = _runs(function.reads, read.call) == _runs(unsafe, read.call)
        if table is None or column is None or column.name is None or edit is None:
            continue
        if read.is_conditional or not is_always or is_used_otherwise(function.changes, table, column.name):
            continue
        if column.python_default is None:
            found[id(read)] = (edit, column_split(table, column.name, column))
    return found


def _runs(reads: Iterable[ReadOperation], call: ast.Call) -> int:
    return sum(read.call is call for read in reads)


def _as_split(script: ScriptReading, read: ReadOperation, finding: Finding, edit: Edit) -> Finding:
    """The finding with a nullable column in place of the suggested default."""
    hint = f"{_corrected(script.revision.source, read.call, edit)}; a next revision fills it, a third sets NOT NULL "
    hint += f"(handrail lint --fix writes both). Or, with one value for all rows: {finding.fix_hint}"
    return replace(finding, fix_hint=hint, edits=(edit,), is_suggestion=False)


def _look_around(
    changes: Iterable[Change], engines: frozenset[str], created: set[TableName]
) -> tuple[set[tuple[int, TableName | None]], list[AddColumn]]:
    """The calls that add their column to a new, empty table or on another engine only (by identity, with the table),
    and the unsafe columns that are added by SQL. `created` is kept up to date."""
    spared: set[tuple[int, TableName | None]] = set()
    in_sql: list[AddColumn] = []
    emptied: set[TableName] = set()
    for change in changes:
        follow(created, change)
        if isinstance(change, WriteRows) and change.table is not None:
            created.discard(change.table)
        _follow_rows(emptied, change)
        if not isinstance(change, AddColumn):
            continue
        is_run = any(change.place.dialects.allows(engine) for engine in engines)
        is_filled = change.table in created | emptied or is_numbered(change)
        if is_filled or not is_run:
            spared.add((id(change.place.call), change.table))
        elif change.place.is_sql and change.column.nullable is False and change.column.server_default is None:
            in_sql.append(change)
    return spared, in_sql


def _follow_rows(emptied: set[TableName], change: Change) -> None:
    """Keep the set of tables of which every row was deleted up to date."""
    match change:
        case WriteRows(table=TableName() as table, verb=Verb.DELETE | Verb.TRUNCATE, is_filtered=False):
            if change.place.dialects == ANY and not change.place.is_conditional:
                emptied.add(table)
        case WriteRows(table=TableName() as table, verb=Verb.INSERT | Verb.MERGE):
            emptied.discard(table)
        case RenameTable(table=table, new=new) if table in emptied:
            emptied.add(new)
        case WriteRows(table=None) | NotAnalysable():
            emptied.clear()


@dataclass(slots=True)
class _Made:
    """Tables that the scripts so far have made and not filled, and the old names of those they renamed."""

    empty: set[TableName] = field(default_factory=set)
    before: dict[TableName, TableName] = field(default_factory=dict)

    def follow(self, operation: Operation) -> None:
        table = operation.table
        if operation.kind is OperationKind.EXECUTE:
            words = (operation.sql or "").casefold()
            self.empty = {made for made in self.empty if made.name.casefold() not in words}
        elif table is not None:
            self._follow_table(operation, table)

    def _follow_table(self, operation: Operation, table: TableName) -> None:
        match operation.kind:
            case OperationKind.CREATE_TABLE:
                self.empty.add(table)
            case OperationKind.DROP_TABLE | OperationKind.BULK_INSERT:
                self.empty.discard(table)
            case OperationKind.RENAME_TABLE if operation.new_table is not None:
                self.before[operation.new_table] = self.name_before(table)
                if table in self.empty:
                    self.empty.remove(table)
                    self.empty.add(operation.new_table)

    def is_empty(self, table: TableName | None) -> bool:
        return table in self.empty

    def name_before(self, table: TableName) -> TableName:
        return self.before.get(table, table)


def candidate(column: ColumnText) -> str:
    """The source text of a server_default that fits the column, `TO_CHOOSE` when the type does not say."""
    if column.labels:
        return repr(column.labels[0])
    if isinstance(column.python_default, bool):
        return "'1'" if column.python_default else "'0'"
    if column.python_default is not None:
        return repr(str(column.python_default))
    return CANDIDATES.get(column.type_name, TO_CHOOSE)


def server_default_edit(column: ColumnText) -> Edit:
    """The edit that gives the column a server_default: in place of one that says None, else before `nullable=`."""
    text = candidate(column)
    assert column.call is not None  # noqa: S101 - only op calls come here, and they have one
    for keyword in column.call.keywords:
        if keyword.arg == "server_default":
            return over(keyword.value, text)
    for keyword in column.call.keywords:
        if keyword.arg == "nullable":
            at = (keyword.lineno, keyword.col_offset)
            return Edit(*at, *at, f"server_default={text}, ")
    last = max(arguments(column.call), key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0))
    end = (last.end_lineno or 0, last.end_col_offset or 0)
    return Edit(*end, *end, f", server_default={text}")


def _corrected(source: str, call: ast.Call, edit: Edit) -> str:
    """The corrected call on one line; when the column is written elsewhere, only the argument to add."""
    if not call.lineno <= edit.line <= (call.end_lineno or 0):
        return edit.text.strip(" ,")
    segment = source_text(source, call)
    lines_after = apply_edits(source, [edit])
    end = (call.end_lineno or 0, call.end_col_offset or 0)
    grown = len(edit.text.encode()) - (edit.end_column - edit.column)
    last = (end[0], end[1] + (grown if edit.line == end[0] else 0))
    whole = ast.Constant(
        value=0, lineno=call.lineno, col_offset=call.col_offset, end_lineno=last[0], end_col_offset=last[1]
    )
    corrected = source_text(lines_after, whole) or segment or edit.text
    return one_line(corrected)


def _is_unsafe(read: ReadOperation) -> bool:
    column = read.column
    if read.operation.kind is not OperationKind.ADD_COLUMN or column is None:
        return False
    return column.nullable is False and column.server_default is None


def _severity(facts: DatabaseFacts | None, table: TableName | None) -> Severity:
    """An error, unless the catalog says that there is no such table or no row in it."""
    if facts is None or table is None:
        return Severity.ERROR
    known = facts.table(table)
    return Severity.INFO if known is None or known.rows_estimate == 0 else Severity.ERROR
