"""Make what is due: one backup for all tiers that want one, proven to restore, and then prune."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.backups.record import BackupRecord
from handrail.retention.candidate import candidate_of
from handrail.retention.due import Due, Timetable, due
from handrail.retention.policy import RetentionPolicy
from handrail.workflows.backup import make_backup, verified_copy
from handrail.workflows.catalog import read_catalog
from handrail.workflows.prune import Pruned, judge, prune
from handrail.workflows.run import Equipment, Run, end_dead_runs


@dataclass(frozen=True, slots=True)
class Made:
    """What was due and made; no backup when another call had made it meanwhile."""

    due: tuple[Due, ...] = ()
    backup: BackupRecord | None = None
    pruned: Pruned | None = None


def due_now(kit: Equipment, timetable: Timetable) -> tuple[Due, ...]:
    """What is due at this moment; nothing is touched. A backup whose last verification failed serves nothing."""
    records = read_catalog(kit).records
    candidates = [candidate_of(one) for one in records if not one.has_failed]
    return due(candidates, timetable, str(kit.database.address), kit.clock())


def run_due(run: Run, timetable: Timetable, policy: RetentionPolicy | None) -> Made:
    """Decide again, as the run holds the lock only now, and make it; with a policy, prune then. A backup that does not
    restore raises, serves nothing, and so is made again by the next call."""
    end_dead_runs(run)
    found = due_now(run.equipment, timetable)
    if not found:
        return Made()
    record = make_backup(run, f"scheduled: {', '.join(one.tier for one in found)}", to_be_proven=timetable.proven)
    if timetable.proven:
        with verified_copy(run, record):
            pass
    if policy is None:
        return Made(found, record)
    going = {one.candidate.id for one in judge(run.equipment, policy).leaving}
    return Made(found, record, prune(run, policy, going))
