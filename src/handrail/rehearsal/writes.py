"""Rows that a migration's own session wrote: added up over revisions, and held against what the scripts declared."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.facts import RowWrites, TableName
from handrail.migrations.operations import OperationKind, RevisionRun
from handrail.rehearsal.expectation import TableExpectation


def own_writes(runs: Iterable[RevisionRun]) -> tuple[RowWrites, ...]:
    """The rows that all these runs wrote, by the names that the tables have at the end."""
    total: dict[TableName, RowWrites] = {}
    for run in runs:
        for operation in run.operations:
            is_rename = operation.kind is OperationKind.RENAME_TABLE and operation.new_table is not None
            if is_rename and operation.table in total and operation.new_table is not None:
                total[operation.new_table] = total.pop(operation.table).named(operation.new_table)
        for written in run.writes:
            before = total.get(written.table)
            total[written.table] = written if before is None else before.plus(written)
    return tuple(total[table] for table in sorted(total, key=str))


def undeclared(written: RowWrites | None, expected: TableExpectation) -> str:
    """What a script wrote to a table that was there before and did not declare, in words; "" when all is declared.

    Which columns an UPDATE touched is not known here: it is declared when any column may change; digests see the rest.
    """
    if written is None or expected.rows_declared:
        return ""
    may_update = expected.dropped | expected.added | expected.altered | expected.declared | expected.vanishing
    kinds = (
        ("inserted", written.inserted, expected.rows_added),
        ("updated", written.updated, bool(may_update)),
        ("deleted", written.deleted, False),
    )
    said = [f"{number} {word}" for word, number, is_free in kinds if number and not is_free]
    return f"rows that the script itself wrote: {', '.join(said)}" if said else ""
