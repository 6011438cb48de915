"""Commands about RDS that look: which snapshots there are, how far one is, what a restore would lose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import size, span
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.rds_documents import SettingsDocument, SnapshotList, SnapshotSummary
    from handrail.config import Config
    from handrail.databases.hosting import Hosting
    from handrail.databases.snapshots import Snapshots
    from handrail.snapshots.instance import Quota

#: From so many manual snapshots of those that there may be, a person is told.
_CROWDED = 0.8


def hosted(root: Path, env: str | None) -> tuple[Config, Hosting]:
    """The configuration of this call, and who hosts its database; neither Alembic nor the database is looked at."""
    from handrail.wiring import read_config
    from handrail.wiring_rds import require_hosting

    config = read_config(root, env)
    return config, require_hosting(config)


def list_snapshots(
    every: Annotated[bool, typer.Option("--all", help="Of all instances of the region.")] = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """List the snapshots of the instance, newest first, and what runs have left behind."""
    with answering("rds list", json) as output:
        config, hosting = hosted(root, env)
        output.display.begin("rds list", f"asking RDS in {hosting.snapshots.region}")
        found = _listed(config, hosting, every=every)
        if found.snapshots:
            heads = ("snapshot", *(("instance",) if every else ()), "kind", "state", "made", "size", "tier", "revision")
            rows = [_row(one, with_instance=every) for one in found.snapshots]
            output.table((*heads, "until", "backup"), rows)
        else:
            whose = "the region" if every else found.instance
            output.lines(f"no snapshot of {whose} in {found.region} yet; take one: handrail rds snapshot")
        output.lines(_quota_line(found.quota))
        output.warnings(tuple(_leftovers(found)))
        output.document(found)


def _listed(config: Config, hosting: Hosting, *, every: bool) -> SnapshotList:
    from handrail.cli.rds_documents import SnapshotList, SnapshotSummary, TemporaryInstance
    from handrail.snapshots.snapshot import read_label

    snapshots = hosting.snapshots
    known = _backups(config)
    found = snapshots.snapshots("" if every else hosting.instance)
    told = [
        SnapshotSummary.of(one, one.label.run_id if one.label and one.label.run_id in known else None) for one in found
    ]
    labels = ((one, read_label(one.settings.tags)) for one in snapshots.instances())
    temporary = [
        TemporaryInstance(one.id, one.status, label.run_id, one.created_at)
        for one, label in labels
        if label is not None and label.is_temporary
    ]
    return SnapshotList(snapshots.region, hosting.instance, _newest_first(told), tuple(temporary), snapshots.quota())


def _newest_first(told: list[SnapshotSummary]) -> tuple[SnapshotSummary, ...]:
    """Those without a time are being made, and come first."""
    from datetime import UTC, datetime

    end = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(told, key=lambda one: (one.created_at or end, one.id), reverse=True))


def _backups(config: Config) -> frozenset[str]:
    """The ids of the backups that have a manifest in one of the stores; nothing is read."""
    from handrail.backups.catalog import manifest_key
    from handrail.wiring_stores import open_stores

    begin, end = manifest_key(config.name, "\0").split("\0")
    keys = (key for store in open_stores(config) for key in store.keys(begin))
    return frozenset(key.removeprefix(begin).removesuffix(end) for key in keys if key.endswith(end))


def _row(one: SnapshotSummary, *, with_instance: bool) -> tuple[str, ...]:
    state = one.status if one.percent in (None, 100) else f"{one.status}, {one.percent} %"
    expires = "pinned" if one.is_pinned else f"{one.expires:%Y-%m-%d}" if one.expires else ""
    way = (
        f"{named(one.revisions)} -> {named(one.target)}"
        if one.target
        else named(one.revisions)
        if one.revisions
        else ""
    )
    return (
        one.id,
        *((one.instance,) if with_instance else ()),
        one.kind,
        state,
        f"{one.created_at:%Y-%m-%d %H:%M} UTC" if one.created_at else "not yet",
        f"{one.size_gb} GB" + (f", {size(one.full_size)} written" if one.full_size is not None else ""),
        one.tier or "",
        way,
        expires,
        one.backup or "",
    )


def _quota_line(quota: Quota) -> str:
    line = f"manual snapshots of the region: {quota.used} of {quota.limit}"
    if not quota.free:
        return f"{line}; no further one can be taken, so no migration can begin with one: handrail backup prune"
    return f"{line}; make room before a migration needs it: handrail backup prune" if _crowded(quota) else line


def _crowded(quota: Quota) -> bool:
    return quota.used >= _CROWDED * quota.limit


def _leftovers(found: SnapshotList) -> Iterator[str]:
    for one in found.temporary:
        made = f", made {one.created_at:%Y-%m-%d %H:%M} UTC" if one.created_at else ""
        yield (
            f"temporary instance {one.id} of run {one.run} is {one.status}{made}; when that run is not under way:"
            f" aws rds delete-db-instance --db-instance-identifier {one.id} --skip-final-snapshot"
        )


def wait(
    name: Annotated[str, typer.Argument(help="A snapshot, or an instance.")],
    deadline: Annotated[
        str, typer.Option("--deadline", help="Give up after: 90min, 2h; else `rds.deadline`.", show_default=False)
    ] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Wait until a snapshot or an instance is available, and tell how far it is."""
    with answering("rds wait", json) as output:
        _, hosting = hosted(root, env)
        from handrail.cli.rds_documents import Waited
        from handrail.databases.waiting import wait_for_instance, wait_for_snapshot
        from handrail.workflows.waiting import told_to

        patience = hosting.patience(_seconds(deadline) if deadline else None)
        heard, begun = told_to(output.progress, "wait"), hosting.monotonic()
        if _is_instance(hosting.snapshots, name):
            instance = wait_for_instance(hosting.snapshots, name, patience, heard=heard)
            found = ("instance", instance.id, instance.status)
            endpoint = f"{instance.host}:{instance.port}"
        else:
            snapshot = wait_for_snapshot(hosting.snapshots, name, patience, heard=heard)
            found, endpoint = ("snapshot", snapshot.id, snapshot.status), None
        seconds = hosting.monotonic() - begun
        output.lines(
            f"{found[0]} {found[1]} is available{f' at {endpoint}' if endpoint else ''}, after {span(seconds)}"
        )
        output.document(Waited(*found, seconds, endpoint))


def _is_instance(snapshots: Snapshots, name: str) -> bool:
    """Whether only an instance has this name; a name that nothing has yet may become a snapshot."""
    from handrail.databases.snapshots import NotThere

    try:
        snapshots.snapshot(name)
    except NotThere:
        pass
    else:
        return False
    try:
        snapshots.instance(name)
    except NotThere:
        return False
    return True


def _seconds(text: str) -> float:
    from handrail.config_durations import parse_duration
    from handrail.errors import UsageError

    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--deadline {text} is no time", why=str(error), hint="--deadline 90min") from None


def settings(
    saved_in: Annotated[
        str, typer.Option("--from", help="Compare with those saved with this backup.", show_default=False)
    ] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show the settings of the instance: what a plain restore loses, and how they differ from those that were saved."""
    with answering("rds settings", json) as output:
        _, hosting = hosted(root, env)
        from handrail.cli.rds_documents import SettingsDocument
        from handrail.cli.rds_restoring import saved_settings
        from handrail.snapshots.losses import described, differences

        live = hosting.snapshots.instance(hosting.instance)
        document = SettingsDocument(live.id, live.status, described(live.settings), live.pending)
        if saved_in:
            saved, origin = saved_settings(output, root, env, saved_in)
            unlike = tuple(differences(saved, live.settings))
            document = SettingsDocument(live.id, live.status, document.settings, live.pending, origin, saved, unlike)
            output.lines(*_compared(document))
        else:
            rows = [(one.name, one.value, f"lost: {one.default}" if one.is_lost else "") for one in document.settings]
            output.table(("setting", live.id, "by a plain restore"), rows)
            output.lines("handrail restores with all of them; passwords are in the data and come along")
        output.lines(*(f"pending: {name} {value}" for name, value in live.pending.items()))
        output.document(document)


def _compared(document: SettingsDocument) -> Iterator[str]:
    if not document.differences:
        yield f"{document.instance} has the settings of {document.origin}"
        return
    yield f"since {document.origin}:"
    for one in document.differences:
        yield f"  {one.name}: {one.saved}, now {one.live}"
