"""Long keeping: a dump of the database, or of a snapshot by way of a temporary instance, streamed into a store of its
own, proven, and only then moved to a colder class or put in a snapshot's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from handrail.backups.methods import DumpRequest, Format
from handrail.backups.record import Headline
from handrail.databases.hosting import Hosting
from handrail.databases.snapshots import NotThere
from handrail.databases.waiting import drop_temporary
from handrail.snapshots.archiving import archive_reason
from handrail.snapshots.descriptor import for_a_while
from handrail.snapshots.identifiers import instance_name
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Label, Snapshot
from handrail.stores.store import Store
from handrail.workflows.backup import make_backup, verified_copy
from handrail.workflows.catalog import find
from handrail.workflows.hosted import OpenAt
from handrail.workflows.marking import note
from handrail.workflows.run import Run, end_dead_runs
from handrail.workflows.waiting import await_instance, await_snapshot, telling


@dataclass(frozen=True, slots=True)
class Archiving:
    """Where to, by which format, and as which milestone. `cool` moves the artifact of this key to a colder class, once
    it is proven."""

    target: Store
    format: Format
    milestone: str = "archive"
    cool: Callable[[str], None] | None = None


def archive_live(run: Run, wanted: Archiving) -> Headline:
    """An archive of the live database, proven by restoring it. What fails leaves no backup in the store."""
    end_dead_runs(run)
    return _archived(run, wanted, None)


def archive_snapshot(run: Run, wanted: Archiving, hosting: Hosting, snapshot: Snapshot, open_at: OpenAt) -> Headline:
    """The same of a snapshot. It is restored as a temporary instance, dumped and proven there, so that the live one
    notices nothing; the instance is dropped in any case."""
    with _temporary(run, hosting, snapshot) as instance:
        kit = replace(run.equipment, database=open_at(instance).of_run(run.id))
        return _archived(replace(run, equipment=kit), wanted, snapshot)


def _archived(run: Run, wanted: Archiving, snapshot: Snapshot | None) -> Headline:
    # Nothing but this store: `copies` are the environment's, with a policy of their own.
    inner = replace(run, equipment=replace(run.equipment, store=wanted.target, copies=()))
    record = make_backup(inner, archive_reason(snapshot), DumpRequest(wanted.format))
    with verified_copy(inner, record):
        pass
    note(inner, record.id, archive_reason(snapshot), wanted.milestone)
    if wanted.cool is not None:
        with run.step("cool", f"moving {record.artifact.key} to a colder class"):
            wanted.cool(record.artifact.key)
    return find(inner.equipment, record.id)[0]


@contextmanager
def _temporary(run: Run, hosting: Hosting, snapshot: Snapshot) -> Iterator[Instance]:
    source = hosting.snapshots.instance(hosting.instance)
    name = instance_name(hosting.instance, "archive", run.id)
    label = Label(run_id=run.id, environment=run.equipment.environment, is_temporary=True)
    try:
        with run.step("restore", f"restoring {snapshot.id} as the temporary instance {name}") as done:
            await_snapshot(run, hosting, snapshot.id, "restore")
            hosting.snapshots.restore(snapshot.id, name, for_a_while(source.settings, hosting.rehearse_class), label)
            instance = await_instance(run, hosting, name, "restore")
            done["text"] = f"{name} is available"
        yield instance
    finally:
        with suppress(NotThere):
            drop_temporary(hosting.snapshots, name, hosting.patience(), heard=telling(run, "restore"))


def delete_archived(run: Run, hosting: Hosting, snapshot: Snapshot, record: Headline) -> None:
    """Delete a snapshot that this archive, which was proven, stands in for."""
    with run.step("delete", f"deleting the snapshot {snapshot.id}, which {record.id} stands in for") as done:
        hosting.snapshots.delete(snapshot.id)
        done["text"] = f"deleted the snapshot {snapshot.id}: {record.id} stands in for it"
