"""Export a snapshot once, and wait for the export: there is no waiter for it at AWS, and one may take hours."""

from __future__ import annotations

from handrail.databases.hosting import Hosting
from handrail.databases.snapshots import NotThere, TriedTooOften
from handrail.databases.waiting import NotReadyYet
from handrail.snapshots.export import Export, ExportRequest
from handrail.snapshots.snapshot import Snapshot
from handrail.snapshots.waiting import Outlook, Wait, pause
from handrail.workflows.run import Listener
from handrail.workflows.waiting import told_to


def find_or_start(hosting: Hosting, snapshot: Snapshot, request: ExportRequest | None) -> Export:
    """The export of this snapshot that was asked for already, else a new one; without a request the last one. NotThere
    when there is none."""
    known = hosting.snapshots.exports(snapshot.arn)
    if request is not None:
        same = next((one for one in known if one.id == request.id), None)
        return same or hosting.snapshots.export(request)
    if not known:
        raise NotThere(
            f"the snapshot {snapshot.id} was never exported",
            hint=f"handrail rds export {snapshot.id} --to s3://bucket/prefix --role ARN --key ARN",
        )
    return max(known, key=lambda one: (one.is_running, one.started_at is not None, str(one.started_at)))


def await_export(listener: Listener, hosting: Hosting, export: Export) -> Export:
    """The export once it has ended, however it did. NotReadyYet at the deadline."""
    heard, patience = told_to(listener, "export"), hosting.patience()
    begun = patience.clock()
    while export.is_running:
        waited = patience.clock() - begun
        if waited >= patience.deadline:
            raise NotReadyYet(
                f"the export {export.id} has not ended after {patience.deadline / 60:.0f} min",
                why=f"the last that was heard of it: {export.status}",
                hint="it goes on by itself; the same command without --to tells how far it is",
            )
        heard(Wait(Outlook.WAIT, export.status.lower().replace("_", " "), export.percent))
        patience.sleep(min(pause(waited), patience.deadline - waited))
        try:
            export = next(
                (one for one in hosting.snapshots.exports(export.snapshot_arn) if one.id == export.id), export
            )
        except TriedTooOften as error:
            heard(Wait(Outlook.WAIT, error.message))
    return export
