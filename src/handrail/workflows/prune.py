"""Prune: judge all backups of a database by the policy, and delete those that nothing keeps.

A deletion begins by a document that says so and ends by deleting that document; in between first the manifest goes,
then what lies beside it, then the artifact. So at no moment is there a manifest without its artifact, for no version of
handrail; what a kill leaves is known to be half deleted, is no backup any more, and is removed by the next prune. Two
prunes may run at once: what the other one has deleted already is no error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from handrail.amounts import size
from handrail.backups.catalog import Catalog, deletion_key
from handrail.backups.lineage import needs
from handrail.backups.manifest import write_deletion
from handrail.backups.methods import is_known
from handrail.backups.record import Deletion
from handrail.databases.snapshots import SnapshotError
from handrail.journal.journal import EventKind, JournalledRun
from handrail.migrations.revision import named
from handrail.retention.candidate import Candidate, candidate_of
from handrail.retention.decision import Decision
from handrail.retention.policy import Guarded, RetentionPolicy, apply_policy, way_back
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.workflows.catalog import read_catalog
from handrail.workflows.hosted_backup import BESIDE, orphans, release, step_of
from handrail.workflows.run import Equipment, Run, end_dead_runs, stands_at

COMMAND = "backup prune"


@dataclass(frozen=True, slots=True)
class Judged:
    """Every backup with its decision, newest first, and what the decisions were made from."""

    decisions: tuple[Decision, ...]
    catalog: Catalog
    candidates: tuple[Candidate, ...]
    guarded: Guarded
    now: datetime
    half_made: tuple[str, ...] = ()

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Ids of which a killed run has left something: deletions half done, and backups without a manifest that a run
        of this database began. While no lock is held such a backup may be under way."""
        return (*self.catalog.deleted, *self.half_made)

    @property
    def leaving(self) -> tuple[Decision, ...]:
        """What would be deleted."""
        return tuple(one for one in self.decisions if not one.keep)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at before anything is deleted."""
        own = [one for one in self.candidates if one.target == self.guarded.target and not one.part]
        ahead = [one.id for one in self.candidates if one.created_at > self.now]
        unproven = bool(own) and not any(one.is_verified for one in own)
        return (
            *(["no backup was proven to restore; prove the newest: handrail backup verify"] if unproven else []),
            *([f"made in the future, a clock is or was wrong: {', '.join(ahead)}"] if ahead else []),
        )


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune did: ids deleted, ids of leftovers removed, bytes freed; and what it had been asked to delete but
    kept, since something keeps it now."""

    run_id: str
    judged: Judged
    deleted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    freed: int = 0
    kept_after_all: tuple[Decision, ...] = ()


def judge(kit: Equipment, policy: RetentionPolicy) -> Judged:
    """Decide; nothing is touched."""
    catalog, now = read_catalog(kit), kit.clock()
    unknown = {record.id: record.format for record in catalog.records if not is_known(record.format)}
    hosted = [record.id for record in catalog.records if record.is_hosted and kit.hosting is None]
    # What this handrail cannot restore takes no place of what it can.
    seen = (candidate_of(record) for record in catalog.records)
    candidates = tuple(replace(one, part=unknown[one.id]) if one.id in unknown else one for one in seen)
    catalog = replace(
        catalog,
        not_understood=(
            *catalog.not_understood,
            *((id_, f"its format {name} is of a newer handrail") for id_, name in unknown.items()),
            *((id_, "its snapshot is in RDS, and `rds` of the environment is not set") for id_ in hosted),
        ),
    )
    guarded = _guarded(kit, catalog, candidates, now)
    decisions = apply_policy(candidates, policy, now, guarded)
    return Judged(decisions, catalog, candidates, guarded, now, _half_made(kit, catalog))


def prune(run: Run, policy: RetentionPolicy, approved: Collection[str]) -> Pruned:
    """Delete what nothing keeps and was approved, by id. Decided anew, as the run holds the lock only now."""
    kit = run.equipment
    end_dead_runs(run)
    judged = judge(kit, policy)
    freed = sum(_delete(run, backup_id, ("left by a run that was killed",)) for backup_id in judged.leftovers)
    going = [one for one in judged.leaving if one.candidate.id in approved]
    hosted = {record.id for record in judged.catalog.records if record.is_hosted}
    for decision in going:
        id_, reasons = decision.candidate.id, tuple(reason.text for reason in decision.reasons)
        freed += _delete(run, id_, reasons, may_be_hosted=id_ in hosted)
    kept = tuple(one for one in judged.decisions if one.keep and one.candidate.id in approved)
    return Pruned(run.id, judged, tuple(one.candidate.id for one in going), judged.leftovers, freed, kept)


def _half_made(kit: Equipment, catalog: Catalog) -> tuple[str, ...]:
    """A backup has the id of its run, so the journal knows of which database one without a manifest is, and that it
    never was whole: one that has lost its manifest later is left to a person."""
    address = str(kit.database.address)
    never_whole = {
        (run.run_id, step)
        for run in kit.journal.runs()
        for step in ("backup", BESIDE.strip("-"))
        if run.started.data.get("database") == address and run.last(EventKind.STEP_DONE, step) is None
    }
    known = {record.id for record in catalog.records} | {id_ for id_, _ in catalog.not_understood}
    try:  # what cannot be read may tell of a snapshot
        hosted = () if catalog.unreadable else orphans(kit, known | set(catalog.deleted))
    except SnapshotError:  # nothing is forgotten: the next prune looks again
        hosted = ()
    found = dict.fromkeys((*catalog.unfinished, *hosted))
    return tuple(id_ for id_ in found if (id_.removesuffix(BESIDE), step_of(id_)) in never_whole)


def _guarded(kit: Equipment, catalog: Catalog, candidates: tuple[Candidate, ...], now: datetime) -> Guarded:
    target, live = str(kit.database.address), stands_at(kit.database)
    return Guarded(
        in_use={id_: what for run in kit.journal.open_runs() for id_, what in _used_by(run)},
        not_understood=dict(catalog.not_understood),
        needs=needs(catalog.records),
        way_back=way_back(candidates, target, live, now),
        live=named(live),
        target=target,
    )


def _used_by(run: JournalledRun) -> Iterator[tuple[str, str]]:
    """The backups that an open run made, restores or reads."""
    what = f"the run {run.run_id} ({run.started.data.get('command', 'unknown')})"
    yield run.run_id, what
    yield run.run_id + BESIDE, what
    yield from ((event.data["backup"], what) for event in run.events if event.data.get("backup"))


def _delete(run: Run, backup_id: str, reasons: tuple[str, ...], *, may_be_hosted: bool = True) -> int:
    """Delete one backup, or what is left of it; the bytes that came free. What the host keeps for it goes as soon as no
    store lists the backup any more."""
    kit = run.equipment
    folder, end = f"{kit.environment}/{backup_id}/", deletion_key(kit.environment, backup_id)
    freed = 0
    with run.step("delete", f"deleting {backup_id}", {"deleting": backup_id, "why": "; ".join(reasons)}) as done:
        stores = [store for store in kit.stores if store.keys(folder)]
        for store in stores:
            _announce(run, store, backup_id, reasons)
        released = release(kit, backup_id) if may_be_hosted else ()
        for store in stores:
            for key in sorted((one for one in store.keys(folder) if one != end), key=_place):
                freed += _delete_object(store, key)
            _delete_object(store, end)
        snapshots = f" and the snapshot {', '.join(released)}" if released else ""
        done["text"] = f"deleted {backup_id}: {size(freed)}{snapshots}"
    return freed


def _announce(run: Run, store: Store, backup_id: str, reasons: tuple[str, ...]) -> None:
    """Say that this backup is being deleted. Another prune may be quicker at it, and even at the whole deletion."""
    kit = run.equipment
    key = deletion_key(kit.environment, backup_id)
    if key in store.keys(key):
        return
    try:
        with store.open_write(key) as out:
            out.write(write_deletion(Deletion(run.id, kit.clock(), reasons)))
    except StoreError:
        left = store.keys(f"{kit.environment}/{backup_id}/")
        if left and key not in left:
            raise


def _place(key: str) -> tuple[int, str]:
    """The manifest goes first, the artifact last."""
    name = key.rpartition("/")[2]
    return (0 if name == "manifest.json" else 2 if name.startswith("artifact") else 1), key


def _delete_object(store: Store, key: str) -> int:
    with suppress(MissingObject):
        freed = store.size(key)
        store.delete(key)
        return freed
    return 0
