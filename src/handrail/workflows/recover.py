"""Settle interrupted runs: look where the database stands, then finish the run or undo it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from handrail.backups.record import BackupRecord
from handrail.errors import ApprovalMissing, HandrailError, NotBroughtBack
from handrail.facts import Capability
from handrail.guard.deploy import CodeCommands, CodeLeft, StepsSeen, code_left
from handrail.guard.plan import Undo
from handrail.journal.journal import EventKind, JournalledRun, dead_runs
from handrail.migrations.revision import Direction, RevisionPath, named
from handrail.migrator.migrator import ProjectFacts
from handrail.workflows.bring_back import (
    Ask,
    WayBack,
    bring_back,
    not_brought_back,
    restore_beside,
    restore_in_place,
    what_remains,
)
from handrail.workflows.catalog import read_catalog, whole
from handrail.workflows.hosted_backup import drop_unfinished
from handrail.workflows.run import ARCHIVE, RESTORE, STAMP, Equipment, Listener, Run, end_made, run_of, stands_at

KEPT = "the database stays as it is, by your decision"


@dataclass(frozen=True, slots=True)
class Settled:
    """How one run was settled. `result` is "never applied", "done", "undone", "restored", "kept" or "cleaned".
    `to_type` are the commands that an interrupted deployment leaves to a person, in order."""

    run_id: str
    result: str
    detail: str
    to_type: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person wants done with what a run left: "restore" where that was withheld, "keep" the database as it is,
    or "" (not decided)."""

    wanted: str = ""
    ask: Ask = None


def recover(kit: Equipment, project: ProjectFacts, decision: Decision, listener: Listener) -> tuple[Settled, ...]:
    """Settle every dead run of this database, oldest first; () when there is none. One that waits for its lock, or that
    only reads a backup, is alive and left alone."""
    address, done = str(kit.database.address), list[Settled]()
    own = Run("recover", kit, listener)
    with own.lock():
        dead = {run.run_id for run in dead_runs(kit.journal)}
        for run in kit.journal.open_runs():
            if address not in (_data(run, "database"), _data(run, "source")):
                continue
            if run.run_id not in dead:
                own.say("recover", f"run {run.run_id} is still at work: left alone")
            elif _data(run, "database") == address:
                done.append(_settle(kit, project, run, decision, listener))
            else:
                done.append(_ended(kit, run, listener))
    return tuple(done)


def _data(run: JournalledRun, key: str) -> str:
    return run.started.data.get(key, "")


def _ended(kit: Equipment, journalled: JournalledRun, listener: Listener) -> Settled:
    """A backup was being restored into another database, or a snapshot archived: there is nothing to finish or undo
    here, but what it had made for a while is dropped."""
    run = run_of(kit, journalled.run_id, listener)
    made = _end_left(run, journalled)
    run.end("cleaned")
    place, command = _data(journalled, "database"), _data(journalled, "command")
    if command == ARCHIVE:
        return Settled(run.id, "cleaned", f"it was archiving a snapshot into {place}: only a whole backup counts there")
    if command.startswith("rds "):
        what = "call it again, and it goes on or says what is there"
        return Settled(run.id, "cleaned", f"{command} was interrupted, on the way to {place}: {what}")
    what = f"it was restoring backup {_data(journalled, 'backup')} into {place}"
    if made:
        return Settled(run.id, "cleaned", f"{what}, {made}")
    return Settled(
        run.id, "cleaned", f"{what}: what is there, and files beside it whose names begin so, may not be whole"
    )


def _end_left(run: Run, journalled: JournalledRun) -> str:
    """End and drop what a dead run made for a while; what became of a new database that it was making, in words."""
    kit = run.equipment
    try:
        ended, made = end_made(kit, journalled)
    except HandrailError as error:
        ended, made = (), f"which it had not made yet: {error.message}"
    for line in (*ended, *kit.database.end_leftovers(run.id)):
        run.say("recover", line)
    return made


def _settle(
    kit: Equipment, project: ProjectFacts, journalled: JournalledRun, decision: Decision, listener: Listener
) -> Settled:
    run = run_of(kit, journalled.run_id, listener)
    made = _end_left(run, journalled)
    if kit.hosting is not None:
        drop_unfinished(run, journalled)
    if "revisions" not in journalled.started.data:
        result, detail = "cleaned", _no_migration(run, journalled, made)
    elif journalled.last(EventKind.WITHHELD):
        result, detail = _decide_withheld(run, journalled, decision)
    else:
        result, detail = _finish_or_undo(run, project, journalled, decision)
    run.end(result)
    left = _code_left(journalled, result)
    return Settled(run.id, result, f"{detail}; {left.text}", left.to_type) if left else Settled(run.id, result, detail)


def _no_migration(run: Run, journalled: JournalledRun, made: str) -> str:
    """What a run that applies no revisions leaves: what it had made for a while has been dropped by now."""
    command = _data(journalled, "command")
    if command in {RESTORE, STAMP}:
        what = f"the database is at {named(stands_at(run.equipment.database))}, as it was or as"
        what += " stamped" if command == STAMP else " restored; a table that it put beside may not be whole"
    elif made:
        what = f"it was making a new database, {made}"
    else:
        what = "it changes nothing in the database, and only a whole backup counts"
    return f"{command} was interrupted: {what}"


def _code_left(journalled: JournalledRun, result: str) -> CodeLeft | None:
    """What the run left of a deployment's code, now that the database is settled. It is told, never done: whether a
    command that was cut may simply be run again, only its author knows."""

    def steps(kind: EventKind) -> frozenset[str]:
        return frozenset(event.step for event in journalled.events if event.kind is kind)

    seen = StepsSeen(steps(EventKind.STEP_STARTED), steps(EventKind.STEP_DONE), steps(EventKind.STEP_FAILED))
    is_new = result in ("done", "kept") or not _data(journalled, "revisions")
    return code_left(CodeCommands.of(journalled.started.data), seen, is_database_new=is_new)


def _ids(journalled: JournalledRun, key: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, journalled.started.data.get(key, "").split(","))))


def _finish_or_undo(run: Run, project: ProjectFacts, journalled: JournalledRun, decision: Decision) -> tuple[str, str]:
    """The stamp says where the run was killed: revisions are committed together with their stamp, but for what an
    autocommit_block commits before it (see `what_remains`)."""
    now = stands_at(run.equipment.database)
    start, target = _ids(journalled, "start"), _ids(journalled, "target")
    if journalled.last(EventKind.STEP_STARTED, "apply") is None or (not target and not start):
        moved = "" if now == start else f"; the database is at {named(now)}, where something else has put it"
        return "never applied", f"it was interrupted before it touched the database{moved}"
    if now == target and journalled.last(EventKind.UNDO_STARTED) is None:
        return (
            "done",
            f"all its revisions are committed{_how_proven(run, journalled)}; the database is at {named(target)}",
        )
    if now == start and (journalled.last(EventKind.UNDO_DONE) or not what_remains(run, _own(run))):
        return "undone", f"nothing of it remains; the database is at {named(start)}"
    if decision.wanted == "keep":
        return "kept", f"{KEPT}; it is at {named(now)}"
    if now not in (start, target) and not _is_between(journalled, now):
        raise NotBroughtBack(
            f"the database is at {named(now)}, where run {run.id} never was",
            why=f"it went from {named(start)} to {named(target)}; somebody else has moved the database since",
            hint="when the database is as you want it: handrail recover --keep",
        )
    return _undo(run, project, journalled, decision)


def _how_proven(run: Run, journalled: JournalledRun) -> str:
    """Only what the journal shows: a single writer's proof is part of the commit, others are proven after it."""
    inside = Capability.CONCURRENT_WRITERS not in run.equipment.database.capabilities
    if journalled.last(EventKind.STEP_DONE, "prove" if not inside else "verify"):
        return " and were proven"
    return ", the proof was not finished (the backup is kept)" if _own(run) else " without a proof"


def _is_between(journalled: JournalledRun, now: tuple[str, ...]) -> bool:
    committed = [e.data.get("revision", "") for e in journalled.events if e.kind is EventKind.COMMITTED]
    between = journalled.started.data.get("revisions", "").split(",")
    return bool(committed) or any(revision in between for revision in now)


def _undo(run: Run, project: ProjectFacts, journalled: JournalledRun, decision: Decision) -> tuple[str, str]:
    direction = Direction(journalled.started.data.get("direction", "upgrade"))
    rehearsed = journalled.last(EventKind.STEP_DONE, "rehearse")
    proven = rehearsed is not None and rehearsed.data.get("downgrade_proven") == "true"
    path = RevisionPath(direction, _ids(journalled, "start"), _ids(journalled, "target"), ())
    facts = replace(project, current=run.equipment.database.revisions())
    allowed = {"auto": True, "ask": True, "never": decision.wanted == "restore"}[run.equipment.policy.restore]
    undo = (Undo.ROLLBACK, Undo.DOWNGRADE, *((Undo.RESTORE, Undo.RESTORE_NEW) if allowed else ()))
    way = WayBack(facts, path, undo, _own_backup(run), proven, _own_snapshot(run))
    ended = bring_back(run, way, HandrailError(f"run {run.id} was interrupted while applying"), decision.ask)
    if isinstance(ended, NotBroughtBack):
        raise ended
    return "undone", ended.why


def _own_backup(run: Run) -> BackupRecord | None:
    """This run's backup only; another run's would throw away what was written since."""
    return next((one for one in _backups(run) if not one.is_hosted), None)


def _own_snapshot(run: Run) -> BackupRecord | None:
    return next((one for one in _backups(run) if one.is_hosted), None)


def _own(run: Run) -> BackupRecord | None:
    return _own_backup(run) or _own_snapshot(run)


def _backups(run: Run) -> list[BackupRecord]:
    catalog = read_catalog(run.equipment)
    own = [one for one in catalog.records if one.run_id == run.id]
    return [whole(run.equipment, one, catalog.places[one.id]) for one in own]


def _decide_withheld(run: Run, journalled: JournalledRun, decision: Decision) -> tuple[str, str]:
    backup = _own(run)
    if decision.wanted == "keep":
        return "kept", KEPT
    wants = decision.wanted == "restore" or (
        decision.ask is not None and backup is not None and decision.ask(f"Restore backup {backup.id} of that run?")
    )
    withheld = journalled.last(EventKind.WITHHELD)
    if wants and backup is not None and backup.is_hosted:
        cause = HandrailError(withheld.data.get("cause", "") if withheld else f"run {run.id} failed")
        start = _ids(journalled, "start")
        raise not_brought_back(run, cause, ["RDS restores a snapshot as a new one"], restore_beside(run, backup), start)
    if wants and backup is not None:
        kept, lost = restore_in_place(run, backup)
        return "restored", f"backup {backup.id} was restored; {lost}; the failed database is {kept}"
    raise ApprovalMissing(
        f"run {run.id} failed and its restore was withheld",
        why=withheld.data.get("reasons", "") if withheld else "",
        hint="handrail recover --restore brings its backup back; handrail recover --keep leaves the database as it is",
    )
