"""What holds for every row: references that a path broke, and constraints and indexes that it left unchecked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from handrail.facts import BrokenReference, DatabaseFacts, ObjectKind, SchemaObject, TableName
from handrail.rehearsal.expectation import Expectation
from handrail.rehearsal.schema import Problem

_Key = tuple[ObjectKind, TableName | None, str]


def reference_problems(
    before: Sequence[BrokenReference], after: Sequence[BrokenReference], expectation: Expectation
) -> Iterator[str]:
    """Keys that are broken now and were not, or for more rows. Fewer broken rows are no problem."""
    known = {(moved.table, moved.columns, moved.parent): moved.rows for moved in _moved(before, expectation)}
    for reference in after:
        key = (reference.table, reference.columns, reference.parent)
        rows = known.get(key)
        if key not in known:
            yield f"broken reference: {reference.line()}"
        elif rows is not None and reference.rows is not None and reference.rows > rows:
            yield f"broken reference: {reference.line()} ({rows} before)"


def _moved(before: Sequence[BrokenReference], expectation: Expectation) -> Iterator[BrokenReference]:
    """The references of before under the names after."""
    renamed = expectation.renamed()
    for reference in before:
        expected = expectation.of(reference.table)
        yield replace(
            reference,
            table=renamed.get(reference.table, reference.table),
            columns=tuple(expected.name_after(column) for column in reference.columns),
            parent=renamed.get(reference.parent, reference.parent),
        )


def unchecked_notes(before: DatabaseFacts, after: DatabaseFacts, expectation: Expectation) -> tuple[str, ...]:
    """What a reader must know of constraints and indexes that are not valid since this path: allowed, not proven."""
    known = _keys((thing for thing in before.objects if not thing.is_valid), expectation)
    notes = (note for thing in _invalid(after, known) if (note := _note(thing)))
    return (*notes, *_unchecked_columns(before, after, expectation))


def _unchecked_columns(before: DatabaseFacts, after: DatabaseFacts, expectation: Expectation) -> Iterator[str]:
    known = {
        (expectation.of(table.name).after, column.not_null_unchecked)
        for table in before.tables
        for column in table.columns
    }
    for table in after.tables:
        for column in table.columns:
            name = column.not_null_unchecked
            if name is not None and (table.name, name) not in known:
                yield _checks_new_rows(name, table.name)


def index_problems(before: DatabaseFacts, after: DatabaseFacts, expectation: Expectation) -> Iterator[Problem]:
    """New indexes whose building failed. One on a partitioned table alone waits for those of its partitions."""
    for thing in _invalid(after, _keys(before.objects, expectation)):
        if thing.kind is ObjectKind.INDEX and not _note(thing):
            text = f"index {thing.name} is INVALID: building it did not finish"
            yield Problem(_before(thing.table, expectation), text, names=(thing.name,))


def _keys(objects: Iterable[SchemaObject], expectation: Expectation) -> set[_Key]:
    """Objects of before by what identifies them after."""
    return {
        (thing.kind, None if thing.table is None else expectation.of(thing.table).after, thing.name)
        for thing in objects
    }


def _invalid(after: DatabaseFacts, known: set[_Key]) -> Iterator[SchemaObject]:
    return (
        thing for thing in after.objects if not thing.is_valid and (thing.kind, thing.table, thing.name) not in known
    )


def _note(thing: SchemaObject) -> str:
    if thing.kind is ObjectKind.INDEX and " ON ONLY " in thing.definition:
        return f"index {thing.name} on {thing.table} is not used until every partition has its part: ATTACH PARTITION"
    if thing.kind is not ObjectKind.CONSTRAINT:
        return ""
    if "NOT ENFORCED" in thing.definition:
        return f"constraint {thing.name} on {thing.table} is NOT ENFORCED: it checks no row"
    return _checks_new_rows(thing.name, thing.table)


def _checks_new_rows(name: str, table: TableName | None) -> str:
    return f"constraint {name} on {table} checks new rows only; VALIDATE CONSTRAINT in a later revision"


def _before(table: TableName | None, expectation: Expectation) -> TableName | None:
    found = None if table is None else expectation.of_after(table)
    return table if found is None else found.before
