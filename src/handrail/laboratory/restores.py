"""New instances from snapshots, and from automated backups as of a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from handrail.laboratory import checks, showing
from handrail.laboratory.automated import bases, earliest
from handrail.laboratory.clock import now
from handrail.laboratory.desk import Desk
from handrail.laboratory.instances import given, new_instance, require_new, settle
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Instance, Retained, Settings, Snapshot
from handrail.laboratory.refusal import Refusal, instance_not_found, invalid_combination, invalid_value

#: What a restored instance takes over; everything else is RDS's default unless it is told.
_KEPT = (
    *("DBInstanceClass", "Engine", "AllocatedStorage", "MasterUsername", "LicenseModel", "StorageType", "Iops"),
    *("StorageThroughput", "StorageEncrypted", "KmsKeyId", "BackupRetentionPeriod", "PreferredBackupWindow", "DBName"),
)


def from_snapshot(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """RestoreDBInstanceFromDBSnapshot: always a new instance."""
    name = checks.instance_identifier(parameters["DBInstanceIdentifier"])
    if "DBSnapshotIdentifier" not in parameters:
        raise invalid_combination("DBSnapshotIdentifier must be specified.")
    checks.settings(parameters)
    snapshot = desk.world.snapshot(parameters["DBSnapshotIdentifier"])
    if snapshot.status != "available":
        raise Refusal("InvalidDBSnapshotState", f"Snapshot {snapshot.identifier} is not available: {snapshot.status}.")
    if not snapshot.data:
        raise Refusal("InvalidDBSnapshotState", f"Snapshot {snapshot.identifier} was seeded: no data is behind it.")
    require_new(desk, name)
    one = _restored(desk, name, snapshot, parameters)

    def work() -> None:
        end = desk.lasting("restoring")
        desk.servers.revive(one.resource, one.port, one.major, snapshot.data)
        end()
        settle(desk, one, f"Restored from snapshot {snapshot.identifier}", "creation", "restoration")

    desk.begin(one, "creating", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def _restored(desk: Desk, name: str, source: Snapshot | Instance | Retained, parameters: Parameters) -> Instance:
    """The new instance: kept settings, defaults for all others, what was told over both. Refusal."""
    kept: Settings = {key: value for key, value in source.settings.items() if key in _KEPT}
    told = given(parameters)
    if told.get("AllocatedStorage", 10**6) < kept["AllocatedStorage"]:
        raise invalid_combination("The allocated storage cannot be smaller than that of the source.")
    one = new_instance(desk, name, source.major, {**kept, **told}, parameters)
    if "Tags" not in parameters:
        with desk.world.changing():
            one.tags = dict(source.tags)
    return one


def to_point_in_time(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """RestoreDBInstanceToPointInTime: a base backup, and the archived WAL up to the moment."""
    name = checks.instance_identifier(parameters["TargetDBInstanceIdentifier"], "TargetDBInstanceIdentifier")
    checks.settings(parameters)
    source = _source(desk, parameters)
    if not source.settings.get("BackupRetentionPeriod"):
        raise Refusal(
            "PointInTimeRestoreNotEnabled", f"Point In Time Restore is not enabled for instance {source.identifier}"
        )
    moment = _moment(desk, source, parameters)
    require_new(desk, name)
    base = [one for one in bases(desk, source.resource) if one.ended and one.ended <= moment][-1]
    one = _restored(desk, name, source, parameters)

    def work() -> None:
        end = desk.lasting("restoring")
        if desk.servers.is_running(source.resource):
            # Something later than the moment, so that recovery sees that it has reached it.
            desk.servers.flush(source.resource)
        desk.servers.recover(one.resource, one.port, one.major, data=base.data, source=source.resource, moment=moment)
        end()
        text = f"Restored from DB instance {source.identifier} to {moment.isoformat(timespec='milliseconds')}"
        settle(desk, one, text, "creation", "restoration")

    desk.begin(one, "creating", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def _source(desk: Desk, parameters: Parameters) -> Instance | Retained:
    """Named by its identifier, by its resource id also after it was deleted, or by the ARN of its backups. Refusal."""
    ways = ("SourceDBInstanceIdentifier", "SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn")
    named = [way for way in ways if parameters.get(way)]
    if len(named) != 1:
        raise invalid_combination(f"Exactly one of {', '.join(ways)} must be specified.")
    value = str(parameters[named[0]])
    if named[0] == ways[0]:
        return desk.world.instance(value)
    resource = f"db-{value.rpartition(':ab-')[2].upper()}" if named[0] == ways[2] else value
    every: list[Instance | Retained] = [*desk.world.instances.values(), *desk.world.retained.values()]
    found = next((one for one in every if one.resource == resource), None)
    if found is None and named[0] == ways[2]:
        raise Refusal("DBInstanceAutomatedBackupNotFound", f"No automated backup {value}.", 404)
    if found is None:
        raise instance_not_found(value)
    return found


def _moment(desk: Desk, source: Instance | Retained, parameters: Parameters) -> datetime:
    """The moment asked for, which has to be within the window. Refusal."""
    asked, latest = parameters.get("RestoreTime"), parameters.get("UseLatestRestorableTime", False)
    if asked is None and not latest:
        raise invalid_combination("Either RestoreTime or UseLatestRestorableTime must be specified.")
    if asked is not None and latest:
        raise invalid_combination("RestoreTime and UseLatestRestorableTime cannot be specified together.")
    first, last = earliest(desk, source), source.latest
    if first is None or last is None:
        raise Refusal("InvalidRestoreFault", f"Instance {source.identifier} has no automated backup yet.")
    moment = last if latest else asked
    assert isinstance(moment, datetime)  # noqa: S101 - one of the two is there
    if moment > now():
        raise invalid_value(f"The specified RestoreTime {_text(moment)} is in the future.")
    if not first <= moment <= last:
        raise invalid_value(
            f"The specified instance {source.identifier} cannot be restored to {_text(moment)}: earliest restorable"
            f" time is {_text(first)}, latest restorable time is {_text(last)}."
        )
    return moment


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
