"""Everything that only looks: pages with markers, filters, events, restore windows, quotas."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from handrail.laboratory import checks, showing
from handrail.laboratory.automated import earliest
from handrail.laboratory.clock import now
from handrail.laboratory.desk import Desk
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Event, Export, Instance, Retained, Snapshot, tag_list
from handrail.laboratory.refusal import Refusal, instance_not_found, invalid_combination, invalid_value
from handrail.laboratory.world import World

Record = TypeVar("Record", Instance, Snapshot, Export, Event, Retained, Instance | Retained)
_TYPES = ("automated", "manual", "shared", "public", "awsbackup")


def page(parameters: Parameters, records: Iterable[Record]) -> tuple[list[Record], dict[str, str]]:
    """One page in the order in which things were made, and the Marker of the next one where there is one. Refusal."""
    size = checks.max_records(parameters)
    after = _serial(parameters.get("Marker", ""))
    rest = sorted((one for one in records if one.serial > after), key=lambda one: one.serial)
    if len(rest) <= size:
        return rest, {}
    marker = base64.urlsafe_b64encode(f"lab:{rest[size - 1].serial}".encode()).decode()
    return rest[:size], {"Marker": marker}


def _serial(marker: str) -> int:
    if not marker:
        return 0
    try:
        name, _, serial = base64.urlsafe_b64decode(marker.encode()).decode().partition(":")
        if name == "lab":
            return int(serial)
    except (ValueError, binascii.Error):
        pass
    raise invalid_value(f"Invalid marker: {marker}")


def _filtered(parameters: Parameters, known: dict[str, Callable[[Any], Iterable[str]]]) -> Callable[[Any], bool]:
    """Whether a record passes all Filters: any value of each. Refusal for a name that is not known."""
    wanted = [
        (one.get("Name", ""), {v.lower() for v in one.get("Values", [])}) for one in parameters.get("Filters", [])
    ]
    for name, _ in wanted:
        if name not in known:
            raise invalid_value(f"Unrecognized filter name: {name}")
    return lambda record: all({v.lower() for v in known[name](record)} & values for name, values in wanted)


def instances(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeDBInstances."""
    world = desk.world
    passes = _filtered(
        parameters,
        {
            "db-instance-id": lambda one: (one.identifier, world.arn("db", one.identifier)),
            "dbi-resource-id": lambda one: (one.resource,),
            "engine": lambda one: (one.settings["Engine"],),
            "db-cluster-id": lambda one: (one.settings.get("DBClusterIdentifier", ""),),
        },
    )
    name = parameters.get("DBInstanceIdentifier", "")
    records = [world.instance(name.rsplit(":", 1)[-1])] if name else list(world.instances.values())
    shown, marker = page(parameters, (one for one in records if passes(one)))
    return {"DBInstances": [showing.instance(world, one) for one in shown], **marker}


def snapshots(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeDBSnapshots."""
    world = desk.world
    passes = _filtered(
        parameters,
        {
            "db-instance-id": lambda one: (one.instance, world.arn("db", one.instance)),
            "db-snapshot-id": lambda one: (one.identifier, world.arn("snapshot", one.identifier)),
            "dbi-resource-id": lambda one: (one.resource,),
            "snapshot-type": lambda one: (one.kind,),
            "engine": lambda one: (one.settings["Engine"],),
        },
    )
    found = [one for one in _wanted_snapshots(world, parameters) if passes(one)]
    shown, marker = page(parameters, found)
    return {"DBSnapshots": [showing.snapshot(world, one) for one in shown], **marker}


def _wanted_snapshots(world: World, parameters: Parameters) -> list[Snapshot]:
    kind = parameters.get("SnapshotType", "")
    if kind and kind not in _TYPES:
        raise invalid_value(f"Invalid snapshot type: {kind}. Must be one of {', '.join(_TYPES)}.")
    if name := parameters.get("DBSnapshotIdentifier", ""):
        one = world.snapshot(name)
        return [one] if kind in ("", one.kind) else []
    instance = parameters.get("DBInstanceIdentifier", "").lower()
    resource = parameters.get("DbiResourceId", "")
    # Without a type RDS shows automated and manual ones, and not those of AWS Backup.
    kinds = (kind,) if kind else ("automated", "manual")
    return [
        one
        for one in world.snapshots.values()
        if one.kind in kinds and instance in ("", one.instance) and resource in ("", one.resource)
    ]


def events(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeEvents: those of the last hour, unless asked otherwise."""
    if "SourceIdentifier" in parameters and "SourceType" not in parameters:
        raise invalid_combination("SourceType must be supplied with SourceIdentifier.")
    end = parameters.get("EndTime") or now() + timedelta(seconds=1)
    begin = parameters.get("StartTime") or end - timedelta(minutes=parameters.get("Duration", 60))
    source, kind = parameters.get("SourceIdentifier", "").lower(), parameters.get("SourceType", "")
    categories = set(parameters.get("EventCategories", []))
    found = [
        one
        for one in desk.world.events
        if begin <= one.date <= end
        and source in ("", one.source)
        and kind in ("", one.kind)
        and (not categories or categories & set(one.categories))
    ]
    shown, marker = page(parameters, found)
    return {"Events": [showing.event(desk.world, one) for one in shown], **marker}


def exports(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeExportTasks."""
    found = list(desk.world.exports.values())
    name, source = parameters.get("ExportTaskIdentifier", ""), parameters.get("SourceArn", "")
    if name and name not in desk.world.exports:
        raise Refusal("ExportTaskNotFound", f"Export task {name} not found.", 404)
    passes = _filtered(
        parameters,
        {
            "export-task-identifier": lambda one: (one.identifier,),
            "s3-bucket": lambda one: (one.bucket,),
            "source-arn": lambda one: (one.source,),
            "status": lambda one: (one.status,),
        },
    )
    fitting = (one for one in found if name in ("", one.identifier) and source in ("", one.source) and passes(one))
    shown, marker = page(parameters, fitting)
    return {"ExportTasks": [showing.export(one) for one in shown], **marker}


def automated_backups(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeDBInstanceAutomatedBackups, those retained of deleted instances too."""
    world = desk.world
    passes = _filtered(
        parameters,
        {
            "db-instance-id": lambda one: (one.identifier, world.arn("db", one.identifier)),
            "dbi-resource-id": lambda one: (one.resource,),
            "status": lambda one: ("retained" if isinstance(one, Retained) else "active",),
        },
    )
    name, resource = parameters.get("DBInstanceIdentifier", "").lower(), parameters.get("DbiResourceId", "")
    active = [one for one in world.instances.values() if one.retention]
    every: list[Instance | Retained] = [*active, *world.retained.values()]
    found = [one for one in every if name in ("", one.identifier) and resource in ("", one.resource) and passes(one)]
    if (name and name not in world.instances and not found) or (resource and not found):
        raise instance_not_found(name) if name else _no_backups(resource)
    shown, marker = page(parameters, found)
    backups = [showing.backups(world, one, earliest(desk, one)) for one in shown]
    return {"DBInstanceAutomatedBackups": backups, **marker}


def _no_backups(resource: str) -> Refusal:
    return Refusal("DBInstanceAutomatedBackupNotFound", f"No automated backup of {resource} was found.", 404)


def quotas(desk: Desk, _parameters: Parameters) -> dict[str, Any]:
    """DescribeAccountAttributes."""
    return {"AccountQuotas": showing.quotas(desk.world, desk.pace.snapshots)}


def engine_versions(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DescribeDBEngineVersions: the servers that are on this machine."""
    checks.engine(parameters.get("Engine", "postgres"))
    asked = parameters.get("EngineVersion", "")
    releases = [desk.servers.release(major) for major in sorted(desk.servers.majors())]
    return {
        "DBEngineVersions": [
            {"Engine": "postgres", "EngineVersion": one, "DBParameterGroupFamily": f"postgres{one.partition('.')[0]}"}
            for one in releases
            if asked in ("", one, one.partition(".")[0])
        ]
    }


def tags(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """ListTagsForResource."""
    return {"TagList": tag_list(tagged(desk.world, parameters["ResourceName"]).tags)}


def tagged(world: World, arn: str) -> Instance | Snapshot:
    """What an ARN names. Refusal."""
    kind, _, name = arn.removeprefix(f"arn:aws:rds:{world.region}:").partition(":")[2].partition(":")
    if kind == "db":
        return world.instance(name)
    if kind == "snapshot":
        return world.snapshot(name)
    raise invalid_value(f"The specified resource name does not match an RDS resource in this region: {arn}")
