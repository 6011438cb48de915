"""Make what is due: one backup for all tiers that want one, proven to restore, and then prune."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.backups.lineage import Chains, Chosen, increment_or_whole
from handrail.backups.methods import Method, first_method, request_of, way_to
from handrail.backups.record import BackupRecord
from handrail.errors import BackupError
from handrail.retention.candidate import candidate_of
from handrail.retention.due import Due, Timetable, due, next_due
from handrail.retention.policy import RetentionPolicy
from handrail.stores.keys import KeyUnusable
from handrail.stores.store import StoreError
from handrail.workflows.backup import make_backup, verified_copy
from handrail.workflows.catalog import read_catalog
from handrail.workflows.prune import Pruned, judge, prune
from handrail.workflows.run import Equipment, Run, end_dead_runs


@dataclass(frozen=True, slots=True)
class Made:
    """What was due and made, and how; no backup when another call had made it meanwhile."""

    due: tuple[Due, ...] = ()
    backup: BackupRecord | None = None
    chosen: Chosen | None = None
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
    record, chosen = _make(run, f"scheduled: {', '.join(one.tier for one in found)}", timetable)
    if timetable.proven:
        with verified_copy(run, record):
            pass
    if policy is None:
        return Made(found, record, chosen)
    going = {one.candidate.id for one in judge(run.equipment, policy).leaving}
    return Made(found, record, chosen, prune(run, policy, going))


def _make(run: Run, reason: str, timetable: Timetable) -> tuple[BackupRecord, Chosen]:
    """Make it in the way that is chosen now; a whole one where no increment can be made."""
    kit = run.equipment
    chosen = choose_method(kit, timetable)
    try:
        return _by(run, chosen.method, reason, timetable), chosen
    except (StoreError, KeyUnusable):
        raise
    except BackupError as error:
        # What is in the store already was made, and lacks a copy elsewhere.
        if chosen.method is not Method.INCREMENT or run.id in run.whole:
            raise
        why = " ".join(filter(None, ("no increment could be made:", error.message, error.why)))
        run.warn("backup", f"{why}; a whole one is made instead")
        chosen = Chosen(_whole(kit), why)
        return _by(run, chosen.method, reason, timetable), chosen


def _by(run: Run, method: Method, reason: str, timetable: Timetable) -> BackupRecord:
    request = request_of(way_to(run.equipment.database.address.engine, method))
    return make_backup(run, reason, request, to_be_proven=timetable.proven)


def _whole(kit: Equipment) -> Method:
    return first_method(request_of(way_to(kit.database.address.engine, Method.INCREMENT)))


def choose_method(kit: Equipment, timetable: Timetable) -> Chosen:
    """How the next backup is made: as the timetable says, but a whole one where nothing is there that an increment may
    build on. UsageError for what the engine does not know."""
    way = way_to(kit.database.address.engine, timetable.method)
    if way.method is not Method.INCREMENT:
        return Chosen(way.method)
    now = kit.clock()
    following = next_due(timetable, now)
    chains = Chains(timetable.whole_every, following.since if following else now, timetable.proven)
    return increment_or_whole(read_catalog(kit).records, str(kit.database.address), _whole(kit), chains, now)
