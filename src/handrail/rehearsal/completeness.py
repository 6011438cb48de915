"""Added columns: which are to be measured, and whether each row holds the default that the column was added with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handrail.facts import AddedColumns, ColumnCompleteness, DatabaseFacts, TableName
from handrail.rehearsal.expectation import Expectation, TableExpectation
from handrail.rehearsal.schema import Problem


def added_columns(expectation: Expectation, before: DatabaseFacts, after: DatabaseFacts | None) -> AddedColumns:
    """Columns that tables of before have gained, by the names after; from the operations alone without `after`."""
    added: dict[TableName, tuple[str, ...]] = {}
    for table in before.tables:
        expected = expectation.of(table.name)
        found = None if after is None or expected.after is None else after.table(expected.after)
        names = expected.added
        if found is not None:
            names = frozenset(found.column_names()) - {expected.name_after(name) for name in table.column_names()}
        if names and expected.after is not None:
            added[expected.after] = tuple(sorted(names))
    return added


def unfilled(
    expected: TableExpectation, facts: DatabaseFacts, completeness: Sequence[ColumnCompleteness]
) -> Iterator[tuple[Problem, int]]:
    """Added columns of a table that hold NULL where they may not, or another value than their default, with the number
    of such rows. A script may fill a column otherwise when it says so."""
    table = None if expected.after is None else facts.table(expected.after)
    if table is None or expected.before is None:
        return
    columns = {column.name: column for column in table.columns}
    for measured in completeness:
        column = columns.get(measured.column)
        if measured.table != expected.after or column is None:
            continue
        if measured.nulls and not column.nullable:
            text = f"{column.name} is NOT NULL and {rows_are(measured.nulls)} without a value"
            yield Problem(expected.before, text), measured.nulls
        if measured.not_default and not _may_differ(expected, column.name):
            text = f"{rows_are(measured.not_default)} not filled with the default of {column.name}"
            yield Problem(expected.before, text, column.name), measured.not_default


def _may_differ(expected: TableExpectation, column: str) -> bool:
    is_declared = expected.rows_declared or expected.rows_added or column in expected.declared
    return is_declared or column in expected.added_then_altered


def rows_are(number: int) -> str:
    return "1 row is" if number == 1 else f"{number} rows are"
