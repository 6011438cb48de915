"""What a backup by snapshot needs beside a dump: a name and a label, a new instance to restore it into, and an end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from handrail.backups.methods import DumpRequest, Format, hosted_elsewhere
from handrail.backups.record import BackupRecord, Headline
from handrail.databases.database import Database
from handrail.databases.hosting import Hosting
from handrail.databases.snapshots import QuotaReached, RightMissing, SnapshotError, require_single
from handrail.guard.plan import Policy
from handrail.journal.journal import EventKind, JournalledRun
from handrail.migrations.revision import RevisionPath, named
from handrail.retention.policy import FOREVER
from handrail.snapshots.descriptor import Descriptor, read_descriptor
from handrail.snapshots.identifiers import check_instance_name, snapshot_name
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Label, SnapshotKind, Tier
from handrail.workflows.catalog import read_catalog
from handrail.workflows.contents import content_of
from handrail.workflows.new_instance import Wanted, make_of_snapshot
from handrail.workflows.run import Equipment, Run
from handrail.workflows.waiting import telling

#: From which share of the quota on a person should know.
_WARN_FROM = 0.8


def hosting_of(kit: Equipment) -> Hosting:
    """BackupError when the environment does not say where its snapshots are."""
    if kit.hosting is None:
        raise hosted_elsewhere()
    return kit.hosting


def with_label(run: Run, request: DumpRequest, backup_id: str, step: str) -> DumpRequest:
    """The request for a snapshot with its name and its label filled in; any other request as it is. QuotaReached before
    anything is made."""
    if not request.is_hosted:
        return request
    check_quota(run)
    kit, hosting = run.equipment, hosting_of(run.equipment)
    revisions = kit.database.revisions()
    label = request.label or Label(backup_id)
    keep = hosting.keep if label.tier is Tier.PRE_MIGRATION and hosting.keep != FOREVER else None
    label = replace(
        label,
        run_id=backup_id,
        expires=label.expires or (kit.clock() + keep if keep else None),
        environment=kit.environment,
        revisions=revisions,
        git_commit=kit.git_commit(),
    )
    name = request.name or snapshot_name(hosting.prefix, kit.clock(), "-".join(revisions))
    return replace(request, label=label, name=name, heard=telling(run, step))


def hosted_policy(kit: Equipment) -> Policy:
    """The policy, with what RDS says of the instance. Where a backup is optional RDS need not answer now."""
    policy, hosting = kit.policy, kit.hosting
    if hosting is None:
        return policy
    try:
        instance = require_single(hosting.snapshots.instance(hosting.instance))
    except SnapshotError:
        if policy.backup != "optional":
            raise
        return replace(policy, snapshot=True)
    return replace(policy, snapshot=True, on_instance=hosting.may_rehearse(instance))


def snapshot_request(path: RevisionPath) -> DumpRequest:
    """What a guarded run asks of RDS before it goes this path."""
    return DumpRequest(Format.RDS_SNAPSHOT, label=Label("", target=path.target))


def as_copied(record: BackupRecord, copy: Database) -> BackupRecord:
    """The record with the fingerprint of its copy, where others wrote to the source while the snapshot was made: for
    these tables only the copy says what is in it."""
    return replace(record, fingerprint=copy.fingerprint()) if record.changed_meanwhile else record


def check_quota(run: Run) -> None:
    """QuotaReached when no further snapshot may be taken; a warning when few are left, or when nobody may look."""
    hosting = hosting_of(run.equipment)
    try:
        quota = hosting.snapshots.quota()
    except RightMissing as error:
        run.warn("backup", f"how many snapshots may still be taken is not known: {error.message}")
        return
    used = f"{quota.used} of {quota.limit} manual snapshots of {hosting.snapshots.region} are taken"
    if not quota.free:
        raise QuotaReached(
            "no snapshot can be taken",
            why=used,
            hint="handrail rds list shows them; handrail backup prune deletes by policy",
        )
    if quota.used >= _WARN_FROM * quota.limit:
        run.warn("backup", f"{used}; handrail backup prune deletes by policy")


def descriptor_of(run: Run, record: Headline) -> Descriptor:
    """What a backup's artifact says of its snapshot."""
    with content_of(run, record, "restore") as content:
        return read_descriptor(content.read())


def restore_instance(run: Run, record: Headline, name: str, step: str = "restore") -> Instance:
    """A new instance of that name, of the backup's snapshot, available and with the settings that were saved.

    When it fails what was made stays: the same call takes it up."""
    hosting, name = hosting_of(run.equipment), check_instance_name(name)
    descriptor = descriptor_of(run, record)
    run.say(step, f"restoring the snapshot {descriptor.snapshot} as the instance {name}", "started")
    wanted = Wanted(name, descriptor.settings, f"backup {record.id}")
    label = Label(record.run_id, environment=record.environment, revisions=record.revisions)
    return make_of_snapshot(run, hosting, descriptor.snapshot, wanted, label=label, step=step)


def release(kit: Equipment, backup_id: str) -> tuple[str, ...]:
    """Delete the snapshots that a backup's run took of this instance; their names. Those that are gone are no error."""
    own = tuple(name for name, label in _labelled(kit) if label.run_id == backup_id)
    for name in own:
        hosting_of(kit).snapshots.delete(name)
    return own


def _labelled(kit: Equipment) -> list[tuple[str, Label]]:
    """The manual snapshots of the instance that handrail took, with their labels; none where RDS hosts nothing."""
    if kit.hosting is None:
        return []
    taken = kit.hosting.snapshots.snapshots(kit.hosting.instance)
    return [(one.id, one.label) for one in taken if one.kind is SnapshotKind.MANUAL and one.label is not None]


#: Ends the id of a backup by snapshot that a guarded run makes beside its dump.
BESIDE = "-snapshot"


def orphans(kit: Equipment, known: Collection[str]) -> tuple[str, ...]:
    """The ids under which runs of this environment took snapshots of the instance that no backup tells of."""
    ids = {label.run_id for _, label in _labelled(kit) if label.environment == kit.environment}
    return tuple(sorted(ids - set(known)))


def step_of(backup_id: str) -> str:
    """The step of a run in which a backup of that id is made."""
    return BESIDE.strip("-") if backup_id.endswith(BESIDE) else "backup"


def drop_unfinished(run: Run, journalled: JournalledRun) -> None:
    """Delete the snapshots that this run took and did not come to tell of: neither the catalog nor the journal says
    that the backup is whole, and every document of the catalog could be read. One that is still being made cannot be
    deleted: the next prune does."""
    catalog = read_catalog(run.equipment)
    known = {record.id for record in catalog.records}
    for id_ in (run.id, run.id + BESIDE):
        is_whole = id_ in known or journalled.last(EventKind.STEP_DONE, step_of(id_)) is not None
        try:
            dropped = () if is_whole or catalog.unreadable else release(run.equipment, id_)
        except SnapshotError as error:
            run.say("recover", f"a snapshot stays: {error.message} ({error.why})")
            continue
        for name in dropped:
            run.say("recover", f"snapshot {name}")


def switch_steps(name: str, live: str, revisions: tuple[str, ...]) -> str:
    """What a person types to let a new instance take the live one's place."""
    return (
        f"look at the instance {name} (at {named(revisions)}), stop the application, then:"
        f" handrail rds switch --to {name} ({live} is kept under another name)"
    )
