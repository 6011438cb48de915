"""Restore the database as of a moment from its archive: a throwaway copy, checked and compared with the live database,
then put where it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from handrail.amounts import count
from handrail.archives.archive import Archive, Reached
from handrail.backups.difference import BackupDifference, DatabaseState, compare_backups
from handrail.backups.moments import ArchiveError, require_within, written
from handrail.backups.verification import compare_restored
from handrail.databases.database import Database, Probe, SideTable
from handrail.errors import DatabaseUnavailable
from handrail.facts import DatabaseAddress, TableName
from handrail.journal.journal import EventKind
from handrail.workflows.contents import made
from handrail.workflows.run import Run, end_dead_runs


@dataclass(frozen=True, slots=True)
class MomentKit:
    """What this needs beside a run's equipment: the archive, how a throwaway copy is opened, and a nameless file that
    takes a dump on its way."""

    archive: Archive
    open: Callable[[DatabaseAddress], Database]
    spool: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where the moment goes: one of them. A new database of the name `into`, the engine's `files`, one `table` beside
    the live one under the name `side`; with none of them it takes the live database's place."""

    into: str = ""
    files: str = ""
    table: TableName | None = None
    side: str = ""

    @property
    def is_in_place(self) -> bool:
        return not (self.into or self.files or self.table)


@dataclass(frozen=True, slots=True)
class Found:
    """The restored copy, looked at. `difference` goes from the moment to the live database; None when that is not there
    or cannot be read."""

    moment: datetime | None
    reached: Reached
    checks: tuple[Probe, ...]
    state: DatabaseState
    difference: BackupDifference | None

    @property
    def name(self) -> str:
        return name_of(self.moment)


@dataclass(frozen=True, slots=True)
class Put:
    """Where it is now; `aside` names what was there before, `side` the table that was brought."""

    found: Found
    place: str
    aside: str | None = None
    side: SideTable | None = None


def name_of(moment: datetime | None) -> str:
    return "the newest content" if moment is None else f"the content of {written(moment)}"


def restore_moment(
    run: Run, kit: MomentKit, moment: datetime | None, target: Target, agree: Callable[[Found], None]
) -> Put:
    """`agree` is told what was found before anything is put anywhere, and may raise. ArchiveError when the moment
    cannot be had, or what was restored is not sound; the live database is untouched then."""
    end_dead_runs(run)
    require_within(moment, kit.archive.state())
    run.say("restore copy", f"restoring {name_of(moment)} from {kit.archive.place}", "started")
    with kit.archive.copy(moment, run.id) as made:
        copy = kit.open(made.address)
        run.say("restore copy", f"restored {name_of(moment)} into a throwaway database", "done")
        found = _looked_at(run, moment, made.reached, copy)
        agree(found)
        with run.step("restore", f"putting {found.name} in its place"):
            return _put(run, kit, target, found, copy)


def _looked_at(run: Run, moment: datetime | None, reached: Reached, copy: Database) -> Found:
    with run.step("check", "checking the restored copy, and comparing the live database with it") as done:
        checks = copy.integrity()
        failed = [f"{check.name}: {check.detail}" for check in checks if check.ok is False]
        if failed:
            raise ArchiveError(
                f"{name_of(moment)} is not sound",
                why="; ".join(failed),
                hint="try an earlier moment, or a backup: handrail backup list",
                code="HR566",
            )
        state = _state("the moment", copy)
        rows = f"{count(state.fingerprint.rows, 'row')} in {count(len(state.fingerprint.tables), 'table')}"
        found = Found(moment, reached, checks, state, _against(run.equipment.database, state))
        done["text"] = f"{count(len(checks), 'check')} of the copy, {rows}"
    return found


def _state(name: str, database: Database) -> DatabaseState:
    return DatabaseState(name, database.revisions(), database.facts(), database.fingerprint())


def _against(live: Database, then: DatabaseState) -> BackupDifference | None:
    try:
        return compare_backups(then, _state("the live database", live)) if live.exists() else None
    except DatabaseUnavailable:
        return None  # that it is damaged may be why somebody restores


def _put(run: Run, kit: MomentKit, target: Target, found: Found, copy: Database) -> Put:
    live = run.equipment.database
    if target.files:
        kit.archive.write_files(found.moment, Path(target.files))
        return Put(found, target.files)
    if target.table is not None:
        return Put(found, str(live.address), side=live.bring(copy, target.table, target.side))
    with kit.spool() as spool:
        report = copy.dump(spool)
        spool.seek(0)
        if target.into:
            wanted = run.equipment.new_database(live, target.into)
            with made(run, wanted, target.into) as new:
                _load(new, spool, found.state)
            return Put(found, str(wanted.address))
        run.note(EventKind.UNDO_STARTED, "restore", {"moment": name_of(found.moment), "format": report.format})
        kept = live.replace(spool, aside=f"failed_{run.id}")
        run.try_note(EventKind.UNDO_DONE, "restore", {"aside": kept})
    return Put(found, str(live.address), kept)


def _load(new: Database, spool: BinaryIO, then: DatabaseState) -> None:
    """Load the dump into a new database, which has to be what the copy was then."""
    new.load(spool)
    differences = compare_restored(then.fingerprint, new.fingerprint(), then.facts, new.facts())
    if differences:
        raise ArchiveError(
            f"{new.address} is not what was restored",
            why="; ".join(differences),
            hint="it was removed; try again",
            code="HR566",
        )
