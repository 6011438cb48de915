"""DB snapshots: taken of a running server, in states that last, copied, shared, deleted."""

from __future__ import annotations

import secrets
import time
from typing import Any

from handrail.laboratory import checks, showing
from handrail.laboratory.clock import cut, now
from handrail.laboratory.desk import Desk, require_state, told
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Instance, Snapshot, tags_of
from handrail.laboratory.refusal import Refusal, invalid_value
from handrail.laboratory.world import World

_STEPS = 20


class SnapshotFailed(Exception):
    """The snapshot was made to fail."""


def create(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """CreateDBSnapshot."""
    name = checks.snapshot_identifier(parameters["DBSnapshotIdentifier"])
    checks.tags(parameters.get("Tags"))
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    if one.is_cluster_member:
        raise invalid_value(
            "The specified instance is a member of a cluster and a snapshot cannot be created directly."
            " Please use the CreateDBClusterSnapshot API instead."
        )
    require_new_snapshot(desk, name)
    require_state(one, "available", "storage-optimization")
    require_room(desk)
    snapshot = manual(desk, one, name, parameters)
    before = one.status
    desk.world.event("db-snapshot", name, "Creating manual snapshot", "creation")
    with desk.world.changing():
        one.status = "backing-up"
    desk.jobs.start(lambda: _take_manual(desk, one, snapshot, before), lambda error: fail(desk, snapshot, error))
    return {"DBSnapshot": showing.snapshot(desk.world, snapshot)}


def manual(desk: Desk, one: Instance, name: str, parameters: Parameters) -> Snapshot:
    """Note a manual snapshot that is being created, with the tags it shall have."""
    snapshot = new_snapshot(desk.world, one, name, "manual")
    own = tags_of(parameters.get("Tags"))
    snapshot.tags = {**(one.tags if one.settings.get("CopyTagsToSnapshot") else {}), **own}
    with desk.world.changing():
        for key, value in (desk.next_snapshots.pop(0) if desk.next_snapshots else {}).items():
            setattr(snapshot, key, value)
        desk.world.snapshots[name] = snapshot
    return snapshot


def _take_manual(desk: Desk, one: Instance, snapshot: Snapshot, before: str) -> None:
    try:
        take(desk, one, snapshot, "snapshot")
        desk.world.event("db-snapshot", snapshot.identifier, "Manual snapshot created", "creation")
    finally:
        with desk.world.changing():
            if one.status == "backing-up":
                one.status = before


def require_new_snapshot(desk: Desk, name: str) -> None:
    """Refuse a name that is taken."""
    if name in desk.world.snapshots:
        text = f"Cannot create the snapshot because one with the identifier {name} already exists."
        raise Refusal("DBSnapshotAlreadyExists", text)


def require_room(desk: Desk) -> None:
    """Refuse when there are as many manual snapshots as may be."""
    limit = desk.pace.snapshots
    if sum(one.kind == "manual" for one in desk.world.snapshots.values()) >= limit:
        raise Refusal("SnapshotQuotaExceeded", f"Cannot create more than {limit} manual snapshots")


def new_snapshot(world: World, one: Instance, name: str, kind: str) -> Snapshot:
    """A snapshot of an instance that is being created."""
    settings = {**one.settings, "Port": one.port, "InstanceCreateTime": one.created}
    return Snapshot(
        name, one.identifier, one.resource, kind, "creating", world.next_serial(), major=one.major, settings=settings
    )


def take(desk: Desk, one: Instance, snapshot: Snapshot, state: str) -> None:
    """Copy the server's data, then let the percent rise for as long as the state lasts. Raises what went wrong."""
    began = time.monotonic()
    taken = now()
    if one.has_data:
        data = f"{snapshot.resource}-{secrets.token_hex(4)}"
        ended = desk.servers.copy(one.resource, data)
        with desk.world.changing():
            snapshot.data, snapshot.ended, snapshot.size = data, ended, desk.servers.size(data)
    with desk.world.changing():
        snapshot.taken = snapshot.original = cut(taken)
    rise(desk, snapshot, began, desk.pace.of(state))


def rise(desk: Desk, snapshot: Snapshot, began: float, seconds: float) -> None:
    """0 to 100 percent, then available; unless it is held or made to fail on the way, or was deleted."""
    for step in range(_STEPS):
        _climb(desk, snapshot, step * 100 // _STEPS)
        desk.jobs.until(began, seconds * (step + 1) / _STEPS)
    _climb(desk, snapshot, 99)
    with desk.world.changing():
        if snapshot.status in ("creating", "copying", "pending"):
            snapshot.percent, snapshot.status = 100, "available"


def _climb(desk: Desk, snapshot: Snapshot, percent: int) -> None:
    while True:
        hold, failing = snapshot.hold_at, snapshot.fail_at  # once: whoever holds it may let it go at any moment
        is_held = hold is not None and percent >= hold
        here = hold if hold is not None and is_held else percent
        if failing is not None and here >= failing:
            raise SnapshotFailed("it was made to fail")
        with desk.world.changing():
            snapshot.percent = here if is_held else max(snapshot.percent, here)
        if not is_held:
            return
        desk.jobs.wait(0.05)


def fail(desk: Desk, snapshot: Snapshot, error: Exception) -> None:
    """The snapshot is of no use; why is among its events."""
    with desk.world.changing():
        snapshot.status = "failed"
    desk.world.event("db-snapshot", snapshot.identifier, f"The snapshot failed: {told(error)}", "failure")


def delete(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DeleteDBSnapshot."""
    one = desk.world.snapshot(parameters["DBSnapshotIdentifier"])
    if one.kind == "automated":
        raise Refusal(
            "InvalidDBSnapshotState", f"The snapshot {one.identifier} is not a manual snapshot and cannot be deleted."
        )
    if one.kind == "awsbackup":
        raise Refusal(
            "InvalidDBSnapshotState", f"The snapshot {one.identifier} is managed by AWS Backup: delete it there."
        )
    if one.status not in ("available", "failed"):
        raise Refusal(
            "InvalidDBSnapshotState", f"Cannot delete the snapshot because it is currently in the {one.status} state."
        )
    with desk.world.changing():
        desk.world.snapshots.pop(one.identifier)
        shown = {**showing.snapshot(desk.world, one), "Status": "deleted"}
    desk.servers.forget(one.data)
    desk.world.event("db-snapshot", one.identifier, "Deleted manual snapshot", "deletion")
    return {"DBSnapshot": shown}


def copy(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """CopyDBSnapshot, within the region."""
    source = desk.world.snapshot(parameters["SourceDBSnapshotIdentifier"])
    name = checks.snapshot_identifier(parameters["TargetDBSnapshotIdentifier"], "TargetDBSnapshotIdentifier")
    checks.tags(parameters.get("Tags"))
    if source.status != "available":
        raise Refusal("InvalidDBSnapshotState", f"Snapshot {source.identifier} is not available: {source.status}.")
    require_new_snapshot(desk, name)
    if "KmsKeyId" in parameters:
        desk.cloud.require_key(parameters["KmsKeyId"])
    require_room(desk)
    one = _copied(desk, source, name, parameters)
    desk.jobs.start(lambda: _fill(desk, source, one), lambda error: fail(desk, one, error))
    return {"DBSnapshot": showing.snapshot(desk.world, one)}


def _copied(desk: Desk, source: Snapshot, name: str, parameters: Parameters) -> Snapshot:
    settings = {**source.settings, "SourceDBSnapshotIdentifier": desk.world.arn("snapshot", source.identifier)}
    if "KmsKeyId" in parameters:
        settings |= {"KmsKeyId": parameters["KmsKeyId"], "StorageEncrypted": True}
    one = Snapshot(
        name, source.instance, source.resource, "manual", "creating", desk.world.next_serial(),
        major=source.major, settings=settings,
    )  # fmt: skip
    one.tags = {**(source.tags if parameters.get("CopyTags") else {}), **tags_of(parameters.get("Tags"))}
    with desk.world.changing():
        desk.world.snapshots[name] = one
    return one


def _fill(desk: Desk, source: Snapshot, one: Snapshot) -> None:
    began, taken = time.monotonic(), now()
    data = f"{one.resource}-{secrets.token_hex(4)}" if source.data else ""
    if data:
        desk.servers.duplicate(source.data, data)
    with desk.world.changing():
        one.data, one.taken, one.original, one.size = data, taken, source.original, source.size
    rise(desk, one, began, desk.pace.of("snapshot"))


def attributes(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeDBSnapshotAttributes."""
    one = desk.world.snapshot(parameters["DBSnapshotIdentifier"])
    shared = [{"AttributeName": "restore", "AttributeValues": one.shared}]
    return {"DBSnapshotAttributesResult": {"DBSnapshotIdentifier": one.identifier, "DBSnapshotAttributes": shared}}


def share(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """ModifyDBSnapshotAttribute."""
    one = desk.world.snapshot(parameters["DBSnapshotIdentifier"])
    if one.kind != "manual":
        raise Refusal(
            "InvalidDBSnapshotState", f"The snapshot {one.identifier} is not a manual snapshot and cannot be shared."
        )
    with desk.world.changing():
        added, removed = parameters.get("ValuesToAdd", []), set(parameters.get("ValuesToRemove", []))
        one.shared = [each for each in dict.fromkeys([*one.shared, *added]) if each not in removed]
    return attributes(desk, parameters)
