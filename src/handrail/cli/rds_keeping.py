"""Commands about what RDS keeps by itself, and about exports for analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import span
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, Yes, asker, confirmed
from handrail.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.rds_documents import AutomatedDocument
    from handrail.databases.hosting import Hosting
    from handrail.snapshots.automated import AutomatedChange
    from handrail.snapshots.export import Export, ExportRequest
    from handrail.snapshots.instance import Instance
    from handrail.snapshots.snapshot import Snapshot

NOT_RESTORABLE = (
    "an export is Parquet for analysis: no database can be restored from it; a restorable one is made by"
    " handrail backup archive"
)


def automated(
    retention: Annotated[int | None, typer.Option(help="Days to keep them, 0 to 35.", show_default=False)] = None,
    window: Annotated[str | None, typer.Option(help="Daily, in UTC: 03:00-04:00.", show_default=False)] = None,
    allow_outage: Annotated[
        bool, typer.Option("--allow-outage", help="Also from or to 0 days, which takes the instance away.")
    ] = False,
    yes: Yes = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show the automated backups of the instance, or change them: the change is shown first."""
    with answering("rds automated", json) as output:
        from handrail.cli.rds import hosted
        from handrail.databases.snapshots import require_single
        from handrail.snapshots.automated import plan_change

        _, hosting = hosted(root, env)
        instance = require_single(hosting.snapshots.instance(hosting.instance))
        if retention is None and window is None:
            document = _automated(hosting, instance)
            output.lines(*_as_they_are(document))
            output.document(document)
            return
        change = plan_change(instance, retention_days=retention, window=window, allow_outage=allow_outage)
        output.lines(*(f"{instance.id}: {line}" for line in change.lines or ("nothing to change",)))
        if change.lines:
            what = f"change the automated backups of {instance.id}{_costs(change)}?"
            confirmed(asker(output, yes), what)
            wanted = change.window if change.retention_days else ""
            instance = hosting.snapshots.set_automated(instance.id, retention_days=change.retention_days, window=wanted)
            output.lines("asked for; RDS makes it so in some minutes: handrail rds automated")
        output.document(_automated(hosting, instance, change.lines))


def _costs(change: AutomatedChange) -> str:
    if not change.is_outage:
        return ""
    gone = "; the automated backups that there are will be gone" if not change.retention_days else ""
    return f" (the instance is away meanwhile{gone})"


def _automated(hosting: Hosting, instance: Instance, changes: tuple[str, ...] = ()) -> AutomatedDocument:
    from datetime import UTC, datetime

    from handrail.cli.rds_documents import AutomatedDocument

    window = hosting.snapshots.window(instance.id)
    now = datetime.now(UTC)  # noqa: TID251 - a door reads the clock
    return AutomatedDocument(
        instance.id,
        instance.settings.retention_days,
        instance.settings.backup_window,
        instance.settings.maintenance_window,
        instance.aws_backup,
        window,
        max(0.0, (now - window.latest).total_seconds()) if window else None,
        changes,
    )


def _as_they_are(found: AutomatedDocument) -> Iterator[str]:
    from handrail.snapshots.moments import written

    days = found.retention_days
    yield (
        f"kept       {days} days" if days else "kept       0 days: automated backups are off, no moment can be restored"
    )
    if days:
        yield f"made       {found.backup_window} UTC, daily; maintenance {found.maintenance_window or 'at any time'}"
    if found.aws_backup:
        yield f"by         AWS Backup, whose plan says how long: {found.aws_backup}"
    if found.window is not None:
        yield f"moments    {written(found.window.earliest)} to {written(found.window.latest)}"
        yield f"RPO        {span(found.rpo or 0.0)} would be lost now"
    elif days:
        yield "moments    none yet: the first automated backup is not made"


def export(  # noqa: PLR0913, PLR0917 - the options of a command
    snapshot: Annotated[str, typer.Argument(help="A snapshot's name.")],
    to: Annotated[str, typer.Option("--to", help="s3://bucket/prefix, in the region of the snapshot.")] = "",
    role: Annotated[str, typer.Option("--role", help="ARN of the role that writes there.", show_default=False)] = "",
    key: Annotated[str, typer.Option("--key", help="ARN of the KMS key that encrypts it.", show_default=False)] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="database, database.schema or database.schema.table.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")] = True,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Export a snapshot to S3 as Parquet, for analysis only, or tell how far its export is."""
    with answering("rds export", json) as output:
        from handrail.cli.rds import hosted
        from handrail.cli.rds_documents import ExportDocument
        from handrail.snapshots.export import require_whole
        from handrail.workflows.exporting import await_export, find_or_start

        _, hosting = hosted(root, env)
        output.warnings((NOT_RESTORABLE,))
        found = hosting.snapshots.snapshot(snapshot)
        task = find_or_start(hosting, found, _request(found, to, role, key, tuple(only or ())))
        output.lines(f"export {task.id} of {found.id} to s3://{task.bucket}/{task.prefix}".rstrip("/"))
        if wait and task.is_running:
            task = await_export(output.progress, hosting, task)
        output.lines(*_export_lines(task))
        is_whole = None if task.is_running else task.is_whole
        output.document(ExportDocument(task, found.id, is_whole))
        if not task.is_running:
            require_whole(task)


def _request(snapshot: Snapshot, to: str, role: str, key: str, only: tuple[str, ...]) -> ExportRequest | None:
    """What is to be exported; None asks how far the last export is."""
    from handrail.snapshots.export import ExportRequest, export_id
    from handrail.stores.objects.address import read_address

    if not (to or role or key):
        return None
    missing = [name for name, value in (("--to", to), ("--role", role), ("--key", key)) if not value]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            why="AWS writes an export by a role that export.rds.amazonaws.com may take on, and encrypts it always",
            hint="--to s3://bucket/prefix --role arn:aws:iam::ACCOUNT:role/NAME"
            " --key arn:aws:kms:REGION:ACCOUNT:key/ID",
        )
    place = read_address(to)
    if place.scheme != "s3":
        raise UsageError(f"{to} is not in S3", why="RDS exports to a bucket of S3 only", hint="--to s3://bucket/prefix")
    return ExportRequest(
        export_id(snapshot.id, place.bucket, place.prefix), snapshot.arn, place.bucket, place.prefix, role, key, only
    )


def _export_lines(task: Export) -> Iterator[str]:
    share = f", {task.percent} %" if task.percent is not None and task.is_running else ""
    yield f"  {task.status}{share}{f', {task.size_gb} GB' if task.size_gb else ''}"
    yield from (f"  {text}" for text in (task.warning, task.failure) if text)
    if task.is_running:
        yield f"  how far it is: handrail rds export {task.snapshot_arn.rpartition(':')[2]}"
