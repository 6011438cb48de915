"""Records as AWS shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handrail.laboratory.records import Event, Export, Instance, Retained, Settings, Snapshot, tag_list
from handrail.laboratory.world import World

HOST = "127.0.0.1"
#: Of an instance's settings, what its snapshots show, and under which name.
_OF_INSTANCE = {
    "Engine": "Engine",
    "EngineVersion": "EngineVersion",
    "AllocatedStorage": "AllocatedStorage",
    "AvailabilityZone": "AvailabilityZone",
    "VpcId": "VpcId",
    "MasterUsername": "MasterUsername",
    "LicenseModel": "LicenseModel",
    "Iops": "Iops",
    "StorageThroughput": "StorageThroughput",
    "StorageType": "StorageType",
    "StorageEncrypted": "Encrypted",
    "KmsKeyId": "KmsKeyId",
    "BackupRetentionPeriod": "BackupRetentionPeriod",
    "PreferredBackupWindow": "PreferredBackupWindow",
    "IAMDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
    "DedicatedLogVolume": "DedicatedLogVolume",
}


def instance(world: World, one: Instance) -> dict[str, Any]:
    """DBInstance."""
    given = one.settings
    shown: dict[str, Any] = {
        **given,
        "DBInstanceIdentifier": one.identifier,
        "DBInstanceStatus": one.status,
        "DbiResourceId": one.resource,
        "DBInstanceArn": world.arn("db", one.identifier),
        "InstanceCreateTime": None if one.status == "creating" else one.created,
        "LatestRestorableTime": one.latest if one.retention else None,
        "PendingModifiedValues": one.pending,
        "DbInstancePort": 0,
        "DBParameterGroups": [
            {"DBParameterGroupName": given["DBParameterGroupName"], "ParameterApplyStatus": "in-sync"}
        ],
        "VpcSecurityGroups": [{"VpcSecurityGroupId": g, "Status": "active"} for g in given["VpcSecurityGroupIds"]],
        "OptionGroupMemberships": [{"OptionGroupName": given["OptionGroupName"], "Status": "in-sync"}],
        "DBSubnetGroup": _subnets(given),
        "DBSecurityGroups": [],
        "ReadReplicaDBInstanceIdentifiers": [],
        "DomainMemberships": [],
        "AssociatedRoles": [],
        "TagList": tag_list(one.tags),
    }
    if one.port and one.status != "creating":
        shown["Endpoint"] = {"Address": HOST, "Port": one.port, "HostedZoneId": "Z2R2ITUGPM61AM"}
    return shown


def _subnets(given: Settings) -> dict[str, Any]:
    return {
        "DBSubnetGroupName": given["DBSubnetGroupName"],
        "VpcId": given["VpcId"],
        "SubnetGroupStatus": "Complete",
        "Subnets": [],
    }


def snapshot(world: World, one: Snapshot) -> dict[str, Any]:
    """DBSnapshot. Its times are not told before it is available."""
    is_told = one.status not in ("creating", "copying", "pending") and not one.hides_time
    return {
        **{shown: one.settings[name] for name, shown in _OF_INSTANCE.items() if name in one.settings},
        "DBSnapshotIdentifier": one.identifier,
        "DBInstanceIdentifier": one.instance,
        "DbiResourceId": one.resource,
        "DBSnapshotArn": world.arn("snapshot", one.identifier),
        "SnapshotType": one.kind,
        "Status": one.status,
        "PercentProgress": one.percent,
        "Port": one.settings.get("Port", 5432),
        "SnapshotCreateTime": one.taken if is_told else None,
        "OriginalSnapshotCreateTime": one.original if is_told else None,
        "SnapshotDatabaseTime": one.original if is_told else None,
        "InstanceCreateTime": one.settings.get("InstanceCreateTime"),
        "SourceRegion": one.settings.get("SourceRegion"),
        "SourceDBSnapshotIdentifier": one.settings.get("SourceDBSnapshotIdentifier"),
        "OptionGroupName": one.settings.get("OptionGroupName"),
        "FullSnapshotSizeInBytes": one.size if is_told else None,
        "SnapshotTarget": "region",
        "ProcessorFeatures": [],
        "TagList": tag_list(one.tags),
    }


def export(one: Export) -> dict[str, Any]:
    """ExportTask, also as the whole answer of a call that starts or cancels one."""
    return {
        "ExportTaskIdentifier": one.identifier,
        "SourceArn": one.source,
        "SourceType": "SNAPSHOT",
        "ExportOnly": one.only or None,
        "SnapshotTime": one.snapshot_time,
        "TaskStartTime": one.started,
        "TaskEndTime": one.ended,
        "S3Bucket": one.bucket,
        "S3Prefix": one.prefix,
        "IamRoleArn": one.role,
        "KmsKeyId": one.key,
        "Status": one.status,
        "PercentProgress": one.percent,
        "TotalExtractedDataInGB": one.gigabytes,
        "FailureCause": one.failure or None,
        "WarningMessage": one.warning or None,
    }


def event(world: World, one: Event) -> dict[str, Any]:
    """Event."""
    kind = "db" if one.kind == "db-instance" else "snapshot"
    return {
        "SourceIdentifier": one.source,
        "SourceType": one.kind,
        "Message": one.message,
        "EventCategories": one.categories,
        "Date": one.date,
        "SourceArn": world.arn(kind, one.source),
    }


def backups(world: World, one: Instance | Retained, earliest: Any) -> dict[str, Any]:
    """DBInstanceAutomatedBackup."""
    status = "retained" if isinstance(one, Retained) else "creating" if earliest is None else "active"
    window: Mapping[str, Any] = {"EarliestTime": earliest, "LatestTime": one.latest} if earliest else {}
    return {
        **{shown: one.settings[name] for name, shown in _OF_INSTANCE.items() if name in one.settings},
        "DBInstanceIdentifier": one.identifier,
        "DBInstanceArn": world.arn("db", one.identifier),
        "DbiResourceId": one.resource,
        "DBInstanceAutomatedBackupsArn": world.arn("auto-backup", f"ab-{one.resource[3:].lower()}"),
        "Region": world.region,
        "RestoreWindow": window,
        "Status": status,
        "Port": one.port,
        "InstanceCreateTime": one.created,
        "OptionGroupName": one.settings.get("OptionGroupName"),
        "BackupTarget": "region",
        "TagList": tag_list(one.tags),
    }


def quotas(world: World, snapshots: int) -> list[dict[str, Any]]:
    """AccountQuotas, as far as the laboratory has what they count."""
    manual = sum(one.kind == "manual" for one in world.snapshots.values())
    running = world.instances.values()
    return [
        {"AccountQuotaName": "DBInstances", "Used": len(running), "Max": 40},
        {"AccountQuotaName": "ManualSnapshots", "Used": manual, "Max": snapshots},
        {
            "AccountQuotaName": "AllocatedStorage",
            "Used": sum(int(one.settings.get("AllocatedStorage", 0)) for one in running),
            "Max": 100000,
        },
    ]
