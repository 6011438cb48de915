"""What AWS's library answers, as values. Anything but a name may be missing; states that are not known stay texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from handrail.snapshots.export import Export
from handrail.snapshots.instance import Instance, InstanceSettings, RecoveryWindow
from handrail.snapshots.snapshot import Snapshot, SnapshotKind

Answer = Mapping[str, Any]


def instance_of(answer: Answer, region: str) -> Instance:
    """A DBInstance."""
    endpoint = answer.get("Endpoint") or {}
    return Instance(
        id=answer["DBInstanceIdentifier"],
        arn=answer.get("DBInstanceArn", ""),
        region=region,
        status=answer.get("DBInstanceStatus", "unknown"),
        engine=answer.get("Engine", ""),
        engine_version=answer.get("EngineVersion", ""),
        settings=settings_of(answer),
        resource_id=answer.get("DbiResourceId", ""),
        host=endpoint.get("Address") or "",
        port=endpoint.get("Port"),
        user=answer.get("MasterUsername", ""),
        database=answer.get("DBName") or "",
        is_encrypted=bool(answer.get("StorageEncrypted")),
        cluster=answer.get("DBClusterIdentifier") or "",
        aws_backup=answer.get("AwsBackupRecoveryPointArn") or "",
        latest_restorable=_moment(answer.get("LatestRestorableTime")),
        created_at=_moment(answer.get("InstanceCreateTime")),
        pending=_pending(answer.get("PendingModifiedValues") or {}),
    )


def retained_of(answer: Answer, region: str) -> Instance:
    """A DBInstanceAutomatedBackup: what it tells of its instance, which may be gone."""
    settings = settings_of({**answer, "DbInstancePort": answer.get("Port")})
    return Instance(
        id=answer.get("DBInstanceIdentifier", ""),
        arn=answer.get("DBInstanceArn", ""),
        region=region,
        status=answer.get("Status", "unknown"),
        engine=answer.get("Engine", ""),
        engine_version=answer.get("EngineVersion", ""),
        settings=settings,
        resource_id=answer.get("DbiResourceId", ""),
        user=answer.get("MasterUsername", ""),
        is_encrypted=bool(answer.get("Encrypted")),
        aws_backup=answer.get("AwsBackupRecoveryPointArn") or "",
        created_at=_moment(answer.get("InstanceCreateTime")),
    )


def settings_of(answer: Answer) -> InstanceSettings:
    """What a restore does not bring by itself."""
    groups = answer.get("DBParameterGroups") or [{}]
    options = answer.get("OptionGroupMemberships") or [{}]
    monitored = answer.get("MonitoringInterval") or 0
    return InstanceSettings(
        instance_class=answer.get("DBInstanceClass", ""),
        parameter_group=groups[0].get("DBParameterGroupName", ""),
        option_group=options[0].get("OptionGroupName", ""),
        security_groups=tuple(sorted(one["VpcSecurityGroupId"] for one in answer.get("VpcSecurityGroups") or ())),
        subnet_group=(answer.get("DBSubnetGroup") or {}).get("DBSubnetGroupName", ""),
        availability_zone=answer.get("AvailabilityZone") or "",
        # While the instance is made, and after, one of the two numbers is 0.
        port=(answer.get("Endpoint") or {}).get("Port") or answer.get("DbInstancePort") or None,
        storage_gb=answer.get("AllocatedStorage"),
        storage_type=answer.get("StorageType") or "",
        iops=answer.get("Iops"),
        throughput=answer.get("StorageThroughput"),
        max_storage_gb=answer.get("MaxAllocatedStorage"),
        is_multi_az=bool(answer.get("MultiAZ")),
        is_public=bool(answer.get("PubliclyAccessible")),
        has_iam_auth=bool(answer.get("IAMDatabaseAuthenticationEnabled")),
        is_deletion_protected=bool(answer.get("DeletionProtection")),
        copies_tags=bool(answer.get("CopyTagsToSnapshot")),
        upgrades_minor_versions=bool(answer.get("AutoMinorVersionUpgrade", True)),
        ca_certificate=answer.get("CACertificateIdentifier") or "",
        log_exports=tuple(sorted(answer.get("EnabledCloudwatchLogsExports") or ())),
        retention_days=answer.get("BackupRetentionPeriod") or 0,
        backup_window=answer.get("PreferredBackupWindow") or "",
        maintenance_window=answer.get("PreferredMaintenanceWindow") or "",
        has_performance_insights=bool(answer.get("PerformanceInsightsEnabled")),
        monitoring_interval=monitored,
        monitoring_role=answer.get("MonitoringRoleArn") or "" if monitored else "",
        tags=tags_of(answer.get("TagList")),
    )


def snapshot_of(answer: Answer, region: str) -> Snapshot:
    """A DBSnapshot. The original time is the one that copying does not change."""
    return Snapshot(
        id=answer["DBSnapshotIdentifier"],
        arn=answer.get("DBSnapshotArn", ""),
        instance=answer.get("DBInstanceIdentifier", ""),
        kind=_kind(answer.get("SnapshotType", "")),
        status=answer.get("Status", "unknown"),
        region=region,
        percent=answer.get("PercentProgress"),
        created_at=_moment(answer.get("OriginalSnapshotCreateTime")) or _moment(answer.get("SnapshotCreateTime")),
        size_gb=answer.get("AllocatedStorage") or 0,
        full_size=answer.get("FullSnapshotSizeInBytes"),
        engine=answer.get("Engine", ""),
        engine_version=answer.get("EngineVersion", ""),
        is_encrypted=bool(answer.get("Encrypted")),
        resource_id=answer.get("DbiResourceId", ""),
        copy_of=answer.get("SourceDBSnapshotIdentifier") or "",
        tags=tags_of(answer.get("TagList")),
    )


def _kind(text: str) -> SnapshotKind:
    """A kind that is not known counts as one that only others may delete."""
    return SnapshotKind(text) if text in set(SnapshotKind) else SnapshotKind.AWS_BACKUP


def export_of(answer: Answer) -> Export:
    """An ExportTask."""
    return Export(
        id=answer["ExportTaskIdentifier"],
        snapshot_arn=answer.get("SourceArn", ""),
        status=str(answer.get("Status", "")).upper(),
        bucket=answer.get("S3Bucket", ""),
        prefix=answer.get("S3Prefix") or "",
        percent=answer.get("PercentProgress"),
        size_gb=answer.get("TotalExtractedDataInGB"),
        warning=answer.get("WarningMessage") or "",
        failure=answer.get("FailureCause") or "",
        started_at=_moment(answer.get("TaskStartTime")),
        ended_at=_moment(answer.get("TaskEndTime")),
    )


def window_of(answers: Iterable[Answer]) -> RecoveryWindow | None:
    """Of a DBInstanceAutomatedBackup for each life of the name: that of the living one, which is `active`."""
    for answer in sorted(answers, key=lambda one: one.get("Status") != "active"):
        window = answer.get("RestoreWindow") or {}
        earliest, latest = _moment(window.get("EarliestTime")), _moment(window.get("LatestTime"))
        if earliest and latest:
            return RecoveryWindow(earliest, latest)
    return None


def tags_of(answer: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {one["Key"]: one.get("Value", "") for one in answer or ()}


def _moment(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _pending(values: Answer) -> dict[str, str]:
    """A password that is being changed is shown by AWS as stars, and left out here."""
    return {name: str(value) for name, value in sorted(values.items()) if "Password" not in name}
