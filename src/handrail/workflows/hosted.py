"""What is in a new instance, beside what a manifest says and what is in the live one, which is only read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from handrail.amounts import count
from handrail.backups.difference import BackupDifference, DatabaseState, compare_backups
from handrail.backups.record import BackupRecord
from handrail.databases.database import Database
from handrail.errors import DatabaseUnavailable
from handrail.migrations.revision import named
from handrail.snapshots.instance import Instance
from handrail.workflows.backup import verify_restored
from handrail.workflows.run import Run


@dataclass(frozen=True, slots=True)
class TableCount:
    """How many rows a table has in the new instance and in the live one; None where it has no such table, or nobody
    could look."""

    table: str
    rows: int | None
    live_rows: int | None


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What is in a new instance. `tables` and `difference` (from it to the live database, counted and not read) are
    empty and None when the live one could not be read; `proof` says what it was proven against, "" when there was no
    manifest."""

    revisions: tuple[str, ...]
    tables: tuple[TableCount, ...]
    difference: BackupDifference | None
    live_revisions: tuple[str, ...] | None = None
    proof: str = ""


def look_at(run: Run, copy: Database, record: BackupRecord | None, *, seconds: float) -> LookedAt:
    """Compare the new instance with the manifest's word where there is one (every value, and the proof is kept beside
    the manifest), and by schema, revision and numbers of rows with the live database."""
    proof = ""
    if record is not None:
        verify_restored(run, record, copy, seconds)
        proof = f"equal to the source of backup {record.id} in every value that it has digests of"
    with run.step("compare", "comparing the new instance with the live one") as done:
        state = counted(copy, "the new instance")
        live = _live(run)
        found = LookedAt(
            state.revisions,
            tuple(_beside(state, live)),
            None if live is None else compare_backups(state, live),
            None if live is None else live.revisions,
            proof,
        )
        rows = f"{count(state.fingerprint.rows, 'row')} in {count(len(state.fingerprint.tables), 'table')}"
        done["text"] = f"revision {named(state.revisions)}, {rows}"
    return found


def counted(database: Database, name: str) -> DatabaseState:
    """The database as it is now, its rows counted and not read."""
    facts = database.facts()
    only_count = {table.name: () for table in facts.tables}
    return DatabaseState(name, database.revisions(), facts, database.fingerprint(only_count))


def _live(run: Run) -> DatabaseState | None:
    try:
        return counted(run.equipment.database, "the live database")
    except DatabaseUnavailable as error:
        run.warn("compare", f"the live database was not compared: {error.message}")
        return None


def _beside(state: DatabaseState, live: DatabaseState | None) -> list[TableCount]:
    ours = {one.table: one.rows for one in state.fingerprint.tables}
    theirs = {one.table: one.rows for one in live.fingerprint.tables} if live else {}
    return [TableCount(str(name), ours.get(name), theirs.get(name)) for name in sorted({**ours, **theirs}, key=str)]


#: How a database is opened that is at another instance.
OpenAt = Callable[[Instance], Database]
