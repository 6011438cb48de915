"""Bring a database back after a failed apply: rollback has happened, then the proven downgrade, then the restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from handrail.backups.methods import require_replacement
from handrail.backups.record import BackupRecord
from handrail.errors import BroughtBack, HandrailError, NotBroughtBack
from handrail.facts import Fingerprint
from handrail.guard.plan import Undo
from handrail.journal.journal import EventKind
from handrail.migrations.revision import RevisionPath, named
from handrail.migrator.migrator import MigrationFailed, ProjectFacts
from handrail.snapshots.identifiers import instance_name
from handrail.workflows.backup import require_same
from handrail.workflows.contents import parts_of
from handrail.workflows.hosted_backup import hosting_of, restore_instance, switch_steps
from handrail.workflows.run import Run, stands_at
from handrail.workflows.sealing import identity_for

#: Asks a person; None when nobody can be asked.
Ask = Callable[[str], bool] | None


@dataclass(frozen=True, slots=True)
class WayBack:
    """What this run may use: its backup, and whether its rehearsal proved the downgrade."""

    facts: ProjectFacts
    path: RevisionPath
    undo: tuple[Undo, ...]
    backup: BackupRecord | None = None
    downgrade_proven: bool = False
    snapshot: BackupRecord | None = None

    @property
    def start(self) -> tuple[str, ...]:
        """Where the database stood, as `Database.revisions` would say it."""
        return tuple(sorted(self.path.start))


def bring_back(run: Run, way: WayBack, cause: HandrailError, ask: Ask) -> HandrailError:
    """Undo what was committed, by the gentlest means that is allowed; returns the error to raise.

    `cause` is what went wrong. BroughtBack when the database is as before, NotBroughtBack (and a marker in the
    journal that blocks the next run) when it is not.
    """
    is_at_start = stands_at(run.equipment.database) == way.start
    if isinstance(cause, MigrationFailed) and cause.is_partly_committed:
        remains = "the script had committed a part of its work by itself"
    else:
        remains = what_remains(run, way.backup or way.snapshot) if is_at_start else ""
    if is_at_start and not remains:
        run.try_note(EventKind.UNDO_DONE, Undo.ROLLBACK.name.lower())
        run.say("undo", "the transaction was rolled back: nothing of the upgrade remains", "done")
        return _brought_back(cause, "the transaction was rolled back; no row written by others was lost")
    reasons = [remains] if remains else []
    how = _undo(run, way, ask, reasons)
    if how:
        return _brought_back(cause, how)
    beside = _restore_beside(run, way, ask, reasons)
    run.try_note(EventKind.WITHHELD, data={"reasons": "; ".join(reasons), "cause": cause.message})
    if beside:
        return not_brought_back(run, cause, reasons, beside, way.start)
    return NotBroughtBack(
        cause.message,
        why=f"{cause.why}; the database stays as it is because {', and '.join(reasons)}".lstrip("; "),
        hint="look at it, then decide with: handrail recover (the next upgrade is blocked until then)",
        code="HR801",
    )


def what_remains(run: Run, backup: BackupRecord | None) -> str:
    """Why a database that stands at its start again is not as it was, in words; "" when nothing says so. The stamp
    does not know what an autocommit_block committed before it: the schema tells; changed data does not."""
    database = run.equipment.database
    if backup is None or not database.exists():
        return ""
    now, then = database.facts(), backup.facts
    is_same = (now.tables, now.objects) == (then.tables, then.objects)
    return "" if is_same else "a part of the upgrade was committed: the schema is not what was backed up"


def _undo(run: Run, way: WayBack, ask: Ask, reasons: list[str]) -> str:
    """What brought the database back, in words; "" when nothing did, and then `reasons` say why."""
    may_downgrade = Undo.DOWNGRADE in way.undo and not reasons  # half a revision cannot be downgraded
    if may_downgrade and way.downgrade_proven:
        failed = _downgrade(run, way)
        if failed is None:
            return "the downgrade that the rehearsal had proven was run; no write was lost"
        reasons.append(f"the downgrade failed: {failed}")
    elif may_downgrade:
        reasons.append("the rehearsal could not prove the downgrade")
    if way.backup is None:
        only = "this run has no dump, and RDS restores a snapshot as a new instance only"
        reasons.append(only if way.snapshot else "this run has no backup")
    elif not may_restore(run, way.undo, way.backup, ask):
        reasons.append("the restore was withheld")
    else:
        try:
            kept, lost = restore_in_place(run, way.backup)
        except HandrailError as error:
            reasons.append(f"the restore failed: {error.message} ({error.why})")
        else:
            return f"backup {way.backup.id} was restored; {lost}; the failed database is {kept}"
    return ""


def not_brought_back(
    run: Run, cause: HandrailError, reasons: Sequence[str], beside: str, start: tuple[str, ...]
) -> NotBroughtBack:
    """The live database is as it is; a new instance holds what was in it before."""
    steps = switch_steps(beside, hosting_of(run.equipment).instance, start)
    return NotBroughtBack(
        cause.message,
        why=f"{cause.why}; the live database is NOT brought back, because {', and '.join(reasons)}; the new instance"
        f" {beside} holds what was there before, without what was written since".lstrip("; "),
        hint=f"{steps}; after that: handrail recover --keep (the next upgrade is blocked until then)",
        code="HR802",
    )


def _restore_beside(run: Run, way: WayBack, ask: Ask, reasons: list[str]) -> str:
    """The new instance that holds what was in the database before; "" when there is none, and `reasons` say why."""
    snapshot = way.snapshot
    if snapshot is None or Undo.RESTORE_NEW not in way.undo:
        return ""
    name = name_beside(run)
    is_allowed = run.equipment.policy.restore == "auto" or (
        ask is not None and ask(f"Restore the snapshot of backup {snapshot.id} as the new instance {name}?")
    )
    if not is_allowed:
        reasons.append("the restore as a new instance was withheld")
        return ""
    try:
        return restore_beside(run, snapshot)
    except HandrailError as error:
        reasons.append(f"the restore as a new instance failed: {error.message} ({error.why})")
        return ""


def name_beside(run: Run) -> str:
    """What the new instance is called that this run's snapshot is restored as."""
    return instance_name(hosting_of(run.equipment).instance, "before", run.id)


def restore_beside(run: Run, snapshot: BackupRecord) -> str:
    """Restore this run's snapshot as a new instance; its name."""
    run.say("undo", f"restoring the snapshot of backup {snapshot.id} as a new instance", "started")
    made = restore_instance(run, snapshot, name_beside(run), "undo").id
    run.say("undo", f"the new instance {made} is available", "done")
    return made


def _brought_back(cause: HandrailError, how: str) -> BroughtBack:
    why = f"{cause.why.rstrip('.')}. " if cause.why else ""
    hint = cause.hint or "repair the script, then run handrail upgrade again"
    return BroughtBack(cause.message, why=f"{why}The database was brought back: {how}.", hint=hint, code="HR701")


def _downgrade(run: Run, way: WayBack) -> str | None:
    kit = run.equipment
    try:
        run.note(EventKind.UNDO_STARTED, "downgrade")
        run.say("undo", f"downgrading to {named(way.path.start)}", "started")
        now = replace(way.facts, current=kit.database.revisions())
        target = way.path.start[0] if way.path.start else "base"
        kit.migrator.run(kit.migrator.path(now, target), run_id=run.id, limits=kit.limits)
    except HandrailError as error:
        return error.message
    if kit.database.revisions() != way.start:
        return f"the database is at {named(kit.database.revisions())}"
    run.try_note(EventKind.UNDO_DONE, "downgrade")
    run.say("undo", f"downgraded to {named(way.path.start)}", "done")
    return None


def may_restore(run: Run, undo: tuple[Undo, ...], backup: BackupRecord, ask: Ask) -> bool:
    """Whether the policy, or the person it asks, lets this run restore its backup."""
    if Undo.RESTORE not in undo:
        return False
    if run.equipment.policy.restore == "auto":
        return True
    return ask is not None and ask(f"Restore backup {backup.id} over {run.equipment.database.address}?")


def restore_in_place(run: Run, backup: BackupRecord, *, compare: bool = False) -> tuple[str, str]:
    """Replace the live content by the backup; returns the name of what was kept aside, and what was lost in words. With
    `compare` it is replaced only by rows that are the source's (`require_same`)."""
    kit, request = run.equipment, backup.request
    require_replacement(request, backup.id)
    identity_for(run, backup)  # before anything is touched
    lost = written_since(backup.fingerprint, kit.database.fingerprint()) if kit.database.exists() else "nothing lost"
    run.note(EventKind.UNDO_STARTED, "restore", {"backup": backup.id})
    run.say("undo", f"restoring backup {backup.id}", "started")
    started = kit.clock()
    check = (lambda restored: require_same(run, backup, restored, started)) if compare else None
    with parts_of(run, backup, "undo") as (content, *increments):
        kept = kit.database.replace(content, request, aside=f"failed_{run.id}", increments=increments, check=check)
    run.try_note(EventKind.UNDO_DONE, "restore", {"aside": kept})
    before = f"the failed database is kept as {kept}" if kept else "there was no database before"
    run.say("undo", f"restored backup {backup.id}; {before}", "done")
    return kept, lost


def written_since(backup: Fingerprint, now: Fingerprint) -> str:
    """How many rows came or went since the backup, in words (rows that were only changed cannot be counted)."""
    deltas = []
    for table in backup.tables:
        found = now.table(table.table)
        if found is not None and found.rows != table.rows:
            deltas.append(f"{table.table} {found.rows - table.rows:+d}")
    return f"rows since the backup: {', '.join(deltas)}" if deltas else "no table has gained or lost rows since"
