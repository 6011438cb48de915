"""The command that takes a snapshot of the RDS instance: a backup like any other, whose content stays with AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, equipped
from handrail.errors import UsageError
from handrail.snapshots.snapshot import Tier

if TYPE_CHECKING:
    from handrail.snapshots.snapshot import Label, Snapshot
    from handrail.workflows.run import Run


def snapshot(
    tier: Annotated[Tier, typer.Option("--tier", help="For how long it is meant.")] = Tier.PRE_MIGRATION,
    name: Annotated[str, typer.Option("--name", help="Else of prefix, time and revision.", show_default=False)] = "",
    expires: Annotated[str, typer.Option("--expires", help="Not needed after: 90d.", show_default=False)] = "",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Without waiting there is no backup in the store.")
    ] = True,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Take a snapshot of the instance, as a backup with a manifest. It is proven by handrail backup verify."""
    with answering("rds snapshot", json) as output:
        until = _end(expires)
        project, _, kit = equipped(root, env)
        from handrail.cli.rds_documents import SnapshotSummary
        from handrail.snapshots.identifiers import check_snapshot_name
        from handrail.snapshots.snapshot import Label
        from handrail.wiring_rds import require_hosting
        from handrail.workflows.run import locked_run

        require_hosting(project.config)
        name = check_snapshot_name(name) if name else ""
        with locked_run(kit, output.progress, "rds snapshot") as run:
            taken = _taken(run, Label(run.id, tier=tier, expires=until), name, wait=wait)
        backup = run.id if wait else None
        if wait:
            output.lines(
                f"{taken.id} is available, as backup {backup}",
                f"to prove it on a temporary instance: handrail backup verify {backup}",
            )
        else:
            output.lines(
                f"{taken.id} is {taken.status}: handrail rds wait {taken.id}",
                "no manifest tells of it, so a restore takes the settings that the live instance has then",
            )
        output.document(SnapshotSummary.of(taken, backup))


def _end(expires: str) -> datetime | None:
    from handrail.config_retention import parse_age

    if not expires:
        return None
    try:
        return datetime.now(UTC) + parse_age(expires)  # noqa: TID251 - a door reads the clock
    except ValueError as error:
        raise UsageError(f"--expires {expires} is no time", why=str(error), hint="--expires 90d") from None


def _taken(run: Run, label: Label, name: str, *, wait: bool) -> Snapshot:
    from handrail.backups.methods import DumpRequest, Format
    from handrail.workflows.backup import make_backup
    from handrail.workflows.hosted_backup import descriptor_of, hosting_of, with_label

    snapshots = hosting_of(run.equipment).snapshots
    request = DumpRequest(Format.RDS_SNAPSHOT, label=label, name=name)
    if wait:
        record = make_backup(run, f"{label.tier.value} snapshot", request)
        return snapshots.snapshot(descriptor_of(run, record).snapshot)
    filled, instance = with_label(run, request, run.id, "backup"), hosting_of(run.equipment).instance
    assert filled.label is not None  # noqa: S101 - it was filled in
    # The journal says that this one is whole, so that no prune takes it for what a killed run has left.
    with run.step("backup", f"asking for a snapshot of {instance}") as done:
        taken = snapshots.take(filled.name, instance, filled.label)
        done["text"] = f"{taken.id} is asked for"
    return taken
