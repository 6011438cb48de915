"""DB instances: created, stopped, started, rebooted, deleted; each with a real server behind it."""

from __future__ import annotations

import random
from typing import Any

from handrail.errors import DatabaseUnavailable
from handrail.laboratory import checks, showing
from handrail.laboratory.automated import archive, back_up, bases
from handrail.laboratory.clock import now
from handrail.laboratory.desk import Desk, require_server, require_state
from handrail.laboratory.ports import port_for
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Instance, Retained, Settings, Snapshot, tags_of
from handrail.laboratory.refusal import Refusal, invalid_combination
from handrail.laboratory.snapshots import fail, manual, require_new_snapshot, require_room, take

_CARRIED = (
    *("DBInstanceClass", "Engine", "AllocatedStorage", "BackupRetentionPeriod", "PreferredBackupWindow", "MultiAZ"),
    *("PreferredMaintenanceWindow", "AutoMinorVersionUpgrade", "LicenseModel", "Iops", "StorageThroughput"),
    *("PubliclyAccessible", "StorageType", "StorageEncrypted", "KmsKeyId", "CopyTagsToSnapshot", "MonitoringInterval"),
    *("DeletionProtection", "MaxAllocatedStorage", "DBParameterGroupName", "VpcSecurityGroupIds", "DBSubnetGroupName"),
    *("OptionGroupName", "NetworkType", "DedicatedLogVolume", "CACertificateIdentifier", "AvailabilityZone", "DBName"),
)
#: Parameters that are called otherwise in what describes an instance.
RENAMED = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
}


def defaults(region: str, major: int) -> Settings:
    """What an instance has that was not told otherwise. The API's retention is one day; seven is the console's."""
    backup, maintenance = _random_windows()
    return {
        "AllocatedStorage": 20,
        "AutoMinorVersionUpgrade": True,
        "AvailabilityZone": f"{region}a",
        "BackupRetentionPeriod": 1,
        "BackupTarget": "region",
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "CopyTagsToSnapshot": False,
        "CustomerOwnedIpEnabled": False,
        "DBParameterGroupName": f"default.postgres{major}",
        "DBSubnetGroupName": "default",
        "DedicatedLogVolume": False,
        "DeletionProtection": False,
        "Engine": "postgres",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "IAMDatabaseAuthenticationEnabled": False,
        "LicenseModel": "postgresql-license",
        "MonitoringInterval": 0,
        "MultiAZ": False,
        "NetworkType": "IPV4",
        "OptionGroupName": f"default:postgres-{major}",
        "PerformanceInsightsEnabled": False,
        "PreferredBackupWindow": backup,
        "PreferredMaintenanceWindow": maintenance,
        "PubliclyAccessible": False,
        "StorageEncrypted": False,
        "StorageType": "gp2",
        "VpcId": "vpc-laboratory",
        "VpcSecurityGroupIds": ["sg-default"],
    }


def _random_windows() -> tuple[str, str]:
    """Half an hour each, in the night of most regions' eight hours; RDS chooses them at random, too."""
    hour = random.randrange(3, 11)  # noqa: S311 - nothing secret
    day = random.choice(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))  # noqa: S311
    return f"{hour:02}:00-{hour:02}:30", f"{day}:{hour + 1:02}:00-{day}:{hour + 1:02}:30"


def given(parameters: Parameters) -> Settings:
    """What was told of an instance, under the names that describe it. A given False counts."""
    named = {RENAMED.get(name, name): value for name, value in parameters.items()}
    return {name: value for name, value in named.items() if name in (*_CARRIED, *RENAMED.values())}


def create(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """CreateDBInstance."""
    name = checks.instance_identifier(parameters["DBInstanceIdentifier"])
    checks.engine(parameters["Engine"])
    checks.instance_class(parameters["DBInstanceClass"])
    if "AllocatedStorage" not in parameters:
        raise invalid_combination("Please specify AllocatedStorage.")
    checks.settings(parameters)
    master, password = (
        checks.master_user(parameters.get("MasterUsername")),
        checks.password(parameters.get("MasterUserPassword")),
    )
    database = checks.database_name(parameters.get("DBName"))
    asked = parameters.get("EngineVersion", "")
    major = checks.engine_major(asked, desk.servers.majors())
    require_new(desk, name)
    one = new_instance(desk, name, major, {"MasterUsername": master, **given(parameters)}, parameters)
    tell_version(desk, one, asked)

    def work() -> None:
        end = desk.lasting("creating")
        desk.servers.make(one.resource, one.port, major)
        desk.servers.found(one.resource, master, password, database)
        end()
        settle(desk, one, "DB instance created", "creation")

    desk.begin(one, "creating", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def require_new(desk: Desk, name: str) -> None:
    """Refuse a name that is taken, and a 41st instance."""
    if name in desk.world.instances:
        raise Refusal("DBInstanceAlreadyExists", "DB instance already exists")
    if len(desk.world.instances) >= 40:
        raise Refusal("InstanceQuotaExceeded", "DB instance quota exceeded: at most 40.")


def new_instance(desk: Desk, name: str, major: int, told: Settings, parameters: Parameters) -> Instance:
    """Note an instance that is being created: its port, its resource id, `told` over the defaults. Refusal."""
    settings = {**defaults(desk.world.region, major), **told}
    if "PreferredMaintenanceWindow" in told:
        settings["PreferredMaintenanceWindow"] = str(told["PreferredMaintenanceWindow"]).lower()
    desk.cloud.require_groups(told)
    checks.apart(_window_apart(settings, told), settings["PreferredMaintenanceWindow"])
    try:
        settings["EngineVersion"] = desk.servers.release(major)
    except DatabaseUnavailable as error:
        raise Refusal("InvalidRestoreFault", f"{error.message} {error.hint}") from None
    with desk.world.changing():
        port = port_for(desk.world, name, parameters.get("Port"))
        one = Instance(name, desk.world.new_resource(), "creating", now(), desk.world.next_serial(), port, major)
        one.settings, one.tags = settings, tags_of(parameters.get("Tags"))
        desk.world.instances[name] = one
    return one


def _window_apart(settings: Settings, told: Settings) -> str:
    """The backup window; a random maintenance window moves out of the way of one that was told."""
    window = str(settings["PreferredBackupWindow"])
    if "PreferredMaintenanceWindow" not in told:
        hour = (checks.window_times(window)[1].hour + 1) % 24
        settings["PreferredMaintenanceWindow"] = f"sun:{hour:02}:00-sun:{hour:02}:30"
    return window


def tell_version(desk: Desk, one: Instance, asked: str) -> None:
    """Say so when the server is another one than was asked for."""
    release = str(one.settings["EngineVersion"])
    if asked and asked.partition(".")[0] != str(one.major):
        text = f"PostgreSQL {asked} is not on this machine: the instance runs {release}."
        desk.world.event("db-instance", one.identifier, text, "notification")


def settle(desk: Desk, one: Instance, message: str, *categories: str) -> None:
    """The end of a creation: the event, the first automated backup, available."""
    desk.world.event("db-instance", one.identifier, message, *categories)
    if one.retention:
        desk.become(one, "backing-up")
        back_up(desk, one)
    desk.become(one, "available")


def stop(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """StopDBInstance."""
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    require_state(one, "available")
    require_server(one)
    name = parameters.get("DBSnapshotIdentifier", "")
    snapshot = manual(desk, one, _new_snapshot_name(desk, name, "DBSnapshotIdentifier"), {}) if name else None

    def work() -> None:
        end = desk.lasting("stopping")
        _take_before(desk, one, snapshot)
        archive(desk, one)
        desk.servers.stop(one.resource)
        end()
        desk.become(one, "stopped")
        desk.world.event("db-instance", one.identifier, "DB instance stopped", "notification")

    desk.begin(one, "stopping", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def start(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """StartDBInstance."""
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    require_state(one, "stopped")

    def work() -> None:
        end = desk.lasting("starting")
        desk.servers.start(one.resource, one.port, one.major)
        end()
        desk.become(one, "available")
        desk.world.event("db-instance", one.identifier, "DB instance started", "notification")

    desk.begin(one, "starting", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def reboot(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """RebootDBInstance."""
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    require_state(one, "available")
    require_server(one)

    def work() -> None:
        end = desk.lasting("rebooting")
        desk.servers.stop(one.resource)
        desk.servers.start(one.resource, one.port, one.major)
        end()
        desk.become(one, "available")
        desk.world.event("db-instance", one.identifier, "DB instance restarted", "availability")

    desk.begin(one, "rebooting", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def delete(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DeleteDBInstance."""
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    final = _final_name(desk, parameters)
    if one.settings["DeletionProtection"]:
        raise invalid_combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
        )
    if one.status in ("creating", "deleting", "rebooting", "modifying", "backing-up") or (
        final and one.status != "available"
    ):
        raise Refusal("InvalidDBInstanceState", f"Instance {one.identifier} cannot be deleted: {one.status}.")
    snapshot = manual(desk, one, final, parameters) if final else None

    def work() -> None:
        end = desk.lasting("deleting")
        _take_before(desk, one, snapshot)
        _retire(desk, one, keep=not parameters.get("DeleteAutomatedBackups", True))
        end()
        with desk.world.changing():
            desk.world.instances.pop(one.identifier, None)
        desk.world.event("db-instance", one.identifier, "DB instance deleted", "deletion")

    desk.begin(one, "deleting", work)
    return {"DBInstance": showing.instance(desk.world, one)}


def _final_name(desk: Desk, parameters: Parameters) -> str:
    name, skip = parameters.get("FinalDBSnapshotIdentifier", ""), parameters.get("SkipFinalSnapshot", False)
    if skip and name:
        raise invalid_combination(
            "FinalDBSnapshotIdentifier can not be specified when deleting without a final snapshot"
        )
    if skip:
        return ""
    if not name:
        raise invalid_combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    return _new_snapshot_name(desk, name, "FinalDBSnapshotIdentifier")


def _new_snapshot_name(desk: Desk, asked: str, parameter: str) -> str:
    name = checks.snapshot_identifier(asked, parameter)
    require_new_snapshot(desk, name)
    require_room(desk)
    return name


def _take_before(desk: Desk, one: Instance, snapshot: Snapshot | None) -> None:
    """The snapshot that a stop or a deletion takes on its way; when it fails, so does the whole."""
    if snapshot is None:
        return
    try:
        take(desk, one, snapshot, "snapshot")
    except Exception as error:
        fail(desk, snapshot, error)
        raise


def _retire(desk: Desk, one: Instance, *, keep: bool) -> None:
    """End the server; its automated backups go with it, unless they shall be retained."""
    is_kept = keep and one.retention > 0
    if is_kept:
        archive(desk, one)
    desk.servers.remove(one.resource, keep_wal=is_kept)
    with desk.world.changing():
        if is_kept:
            desk.world.retained[one.resource] = Retained(
                one.identifier, one.resource, desk.world.next_serial(), one.created, one.latest, one.port, one.major,
                one.settings, one.tags,
            )  # fmt: skip
            return
        gone = bases(desk, one.resource)
        for base in gone:
            desk.world.snapshots.pop(base.identifier, None)
    for base in gone:
        desk.servers.forget(base.data)


def delete_backups(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """DeleteDBInstanceAutomatedBackup, of an instance that is gone."""
    resource = parameters.get("DbiResourceId", "")
    if resource not in desk.world.retained:
        raise Refusal(
            "DBInstanceAutomatedBackupNotFound", f"No retained automated backup of {resource or '(none)'}.", 404
        )
    shown = showing.backups(desk.world, desk.world.retained[resource], None)
    gone = bases(desk, resource)
    with desk.world.changing():
        desk.world.retained.pop(resource)
        for base in gone:
            desk.world.snapshots.pop(base.identifier, None)
    for base in gone:
        desk.servers.forget(base.data)
    desk.servers.remove(resource)
    return {"DBInstanceAutomatedBackup": {**shown, "Status": "deleted"}}
