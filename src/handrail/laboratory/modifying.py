"""ModifyDBInstance, the rename that puts a restored instance in the place of another, and tags."""

from __future__ import annotations

from typing import Any

from handrail.laboratory import checks, showing
from handrail.laboratory.automated import back_up, bases
from handrail.laboratory.describing import tagged
from handrail.laboratory.desk import Desk, require_server, require_state
from handrail.laboratory.instances import given, require_new
from handrail.laboratory.ports import port_for
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Instance, Settings, tag_list, tags_of
from handrail.laboratory.refusal import Refusal, invalid_combination

#: What waits for the maintenance window unless ApplyImmediately.
_PENDING = (
    "DBInstanceClass",
    "AllocatedStorage",
    "MultiAZ",
    "StorageType",
    "Iops",
    "BackupRetentionPeriod",
    "DBSubnetGroupName",
    "DBInstanceIdentifier",
)
_NEVER = ("Engine", "DBName", "StorageEncrypted", "KmsKeyId", "AvailabilityZone")


def modify(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """ModifyDBInstance."""
    one = desk.world.instance(parameters["DBInstanceIdentifier"])
    checks.settings(parameters)
    require_state(one, "available", "storage-optimization", "storage-full", "incompatible-parameters")
    changes = _checked(desk, one, parameters)
    new_name = _new_name(desk, one, parameters)
    is_immediate = bool(parameters.get("ApplyImmediately", False))
    if new_name:
        changes["DBInstanceIdentifier"] = new_name
    with desk.world.changing():
        now_changes, later = _split(one, changes, is_immediate)
        one.pending = later
    new_name = str(now_changes.pop("DBInstanceIdentifier", ""))
    password = parameters.get("MasterUserPassword", "")
    if now_changes or password or new_name:
        with desk.world.changing():
            one.pending |= {"MasterUserPassword": "****"} if password else {}
        shown = showing.instance(desk.world, one)
        desk.begin(one, "modifying", lambda: _apply(desk, one, now_changes, password, new_name))
        return {"DBInstance": shown}
    return {"DBInstance": showing.instance(desk.world, one)}


def _require_possible(one: Instance, parameters: Parameters) -> None:
    """Refuse what RDS never modifies, and what the laboratory cannot."""
    for name in _NEVER:
        if name in parameters:
            raise invalid_combination(f"{name} cannot be modified.")
    if parameters.get("DBPortNumber", one.port) != one.port:
        raise invalid_combination("In the laboratory a port belongs to the identifier and cannot be modified.")
    version = parameters.get("EngineVersion", "")
    if version and version.partition(".")[0] != str(one.major):
        raise invalid_combination("The laboratory does no upgrade to another major version of PostgreSQL.")


def _checked(desk: Desk, one: Instance, parameters: Parameters) -> Settings:
    _require_possible(one, parameters)
    changes = given(parameters)
    if changes.get("AllocatedStorage", 10**6) < one.settings["AllocatedStorage"]:
        raise invalid_combination("Invalid storage size: storage cannot be made smaller.")
    if (parameters.get("MasterUserPassword") or "BackupRetentionPeriod" in changes) and not one.is_cluster_member:
        require_server(one)
    if "BackupRetentionPeriod" in changes and "AwsBackupRecoveryPointArn" in one.settings:
        raise invalid_combination("The backup retention period is managed by AWS Backup and cannot be modified here.")
    desk.cloud.require_groups(changes)
    merged = {**one.settings, **changes}
    if {"PreferredBackupWindow", "PreferredMaintenanceWindow"} & set(changes):
        checks.apart(merged["PreferredBackupWindow"], str(merged["PreferredMaintenanceWindow"]).lower())
    return changes


def _new_name(desk: Desk, one: Instance, parameters: Parameters) -> str:
    asked = parameters.get("NewDBInstanceIdentifier", "")
    if not asked:
        return ""
    name = checks.instance_identifier(asked, "NewDBInstanceIdentifier")
    if name == one.identifier:
        return ""
    require_new(desk, name)
    require_server(one)
    return name


def _split(one: Instance, changes: Settings, is_immediate: bool) -> tuple[Settings, Settings]:
    """What is done now and what waits. What has waited is done with the next change that is immediate."""
    changed = {name: value for name, value in changes.items() if one.settings.get(name) != value}
    if is_immediate:
        return {**one.pending, **changed}, {}
    later = {name: value for name, value in changed.items() if name in _PENDING}
    if later.get("BackupRetentionPeriod") and one.retention:
        later.pop("BackupRetentionPeriod")  # between two that are not 0 nothing is interrupted
    return {name: value for name, value in changed.items() if name not in later}, {**one.pending, **later}


def _apply(desk: Desk, one: Instance, changes: Settings, password: str, new_name: str) -> None:
    end = desk.lasting("modifying")
    if password:
        desk.servers.set_password(one.resource, str(one.settings["MasterUsername"]), password)
    before = one.retention
    with desk.world.changing():
        one.settings |= changes
        one.pending.pop("MasterUserPassword", None)
    if password:
        desk.world.event("db-instance", one.identifier, "The master password was reset", "configuration change")
    end()
    if new_name:
        _rename(desk, one, new_name)
    _change_backups(desk, one, before)
    desk.become(one, "available")


def _rename(desk: Desk, one: Instance, name: str) -> None:
    """Under another name, at that name's port: whoever has the old one's address finds nobody, or who comes after."""
    end = desk.lasting("renaming")
    old = one.identifier
    desk.become(one, "renaming")
    desk.servers.stop(one.resource)
    with desk.world.changing():
        if name in desk.world.instances:
            raise Refusal("DBInstanceAlreadyExists", "DB instance already exists")
        one.port = port_for(desk.world, name)
        one.identifier = name
        desk.world.instances.pop(old, None)
        desk.world.instances[name] = one
        for snapshot in desk.world.snapshots.values():
            if snapshot.resource == one.resource and snapshot.kind == "automated":
                snapshot.instance = name
    desk.servers.start(one.resource, one.port, one.major)
    end()
    desk.world.event("db-instance", name, f"Renamed instance from {old} to {name}", "configuration change")


def _change_backups(desk: Desk, one: Instance, before: int) -> None:
    """From 0 on a first backup; to 0 all automated ones go, and with them what could be restored."""
    if not before and one.retention and one.has_data:
        desk.become(one, "backing-up")
        back_up(desk, one)
    if before and not one.retention:
        gone = bases(desk, one.resource)
        with desk.world.changing():
            one.latest = None
            for base in gone:
                desk.world.snapshots.pop(base.identifier, None)
        for base in gone:
            desk.servers.forget(base.data)
        desk.world.event(
            "db-instance",
            one.identifier,
            "Automatic backups for this DB instance have been disabled",
            "configuration change",
        )


def add_tags(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """AddTagsToResource."""
    checks.tags(parameters.get("Tags"))
    one = tagged(desk.world, parameters["ResourceName"])
    wanted = {**one.tags, **tags_of(parameters.get("Tags"))}
    checks.tags(tag_list(wanted))
    with desk.world.changing():
        one.tags = wanted
    return {}


def remove_tags(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """RemoveTagsFromResource."""
    one = tagged(desk.world, parameters["ResourceName"])
    with desk.world.changing():
        for key in parameters["TagKeys"]:
            one.tags.pop(key, None)
    return {}
