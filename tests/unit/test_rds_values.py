"""AWS's answers as values, and settings as AWS's parameters: without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.rds.failures import redacted
from handrail.databases.rds.reading import export_of, instance_of, snapshot_of, window_of
from handrail.databases.rds.restoring import changes, restore_parameters
from handrail.databases.rds.rights import principal_of, verdict
from handrail.snapshots.export import Export
from handrail.snapshots.instance import Instance, InstanceSettings, RecoveryWindow
from handrail.snapshots.snapshot import Label, Snapshot, SnapshotKind
from support.hosted import SETTINGS, an_instance

AT = datetime(2026, 2, 18, 6, 25, tzinfo=UTC)
SEOUL = timezone(timedelta(hours=9))
EVERYTHING = frozenset(
    [
        "DBInstanceClass",
        "DBParameterGroupName",
        "OptionGroupName",
        "VpcSecurityGroupIds",
        "DBSubnetGroupName",
        "AvailabilityZone",
        "Port",
        "AllocatedStorage",
        "StorageType",
        "Iops",
        "StorageThroughput",
        "MaxAllocatedStorage",
        "EnableCloudwatchLogsExports",
        "CACertificateIdentifier",
        "PreferredBackupWindow",
        "MultiAZ",
        "PubliclyAccessible",
        "EnableIAMDatabaseAuthentication",
        "CopyTagsToSnapshot",
        "AutoMinorVersionUpgrade",
        "BackupRetentionPeriod",
        "DeletionProtection",
        "Tags",
    ]
)
LABEL = Label("20260218_062501_9f3a2c")
DESCRIBED = {
    "DBInstanceIdentifier": "shop-prod",
    "DBInstanceArn": "arn:aws:rds:ap-northeast-2:123456789012:db:shop-prod",
    "DBInstanceStatus": "available",
    "Engine": "postgres",
    "EngineVersion": "18.1",
    "DbiResourceId": "db-SHOP-PROD",
    "Endpoint": {"Address": "shop-prod.abc.ap-northeast-2.rds.amazonaws.com", "Port": 5432},
    "MasterUsername": "shop",
    "DBName": "shop",
    "StorageEncrypted": True,
    "LatestRestorableTime": datetime(2026, 2, 18, 15, 25, tzinfo=SEOUL),
    "InstanceCreateTime": datetime(2026, 1, 19, 6, 25),  # noqa: DTZ001 - what a stand-in once answered
    "PendingModifiedValues": {"MasterUserPassword": "****", "DBInstanceClass": "db.t4g.large"},
    "DBInstanceClass": "db.t4g.medium",
    "DBParameterGroups": [{"DBParameterGroupName": "shop-pg18", "ParameterApplyStatus": "in-sync"}],
    "OptionGroupMemberships": [{"OptionGroupName": "default:postgres-18", "Status": "in-sync"}],
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-0a1b2c3d", "Status": "active"}],
    "DBSubnetGroup": {"DBSubnetGroupName": "private"},
    "AvailabilityZone": "ap-northeast-2a",
    "DbInstancePort": 0,
    "AllocatedStorage": 100,
    "StorageType": "gp3",
    "Iops": 3000,
    "StorageThroughput": 125,
    "MaxAllocatedStorage": 500,
    "MultiAZ": True,
    "PubliclyAccessible": False,
    "IAMDatabaseAuthenticationEnabled": True,
    "DeletionProtection": True,
    "CopyTagsToSnapshot": True,
    "AutoMinorVersionUpgrade": False,
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "EnabledCloudwatchLogsExports": ["upgrade", "postgresql"],
    "BackupRetentionPeriod": 7,
    "PreferredBackupWindow": "03:00-04:00",
    "PreferredMaintenanceWindow": "sun:05:00-sun:06:00",
    "PerformanceInsightsEnabled": True,
    "MonitoringInterval": 60,
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring",
    "TagList": [{"Key": "team", "Value": "shop"}, {"Key": "aws:cloudformation:stack-name", "Value": "shop"}],
}


def test_an_instance_is_read_whole() -> None:
    assert instance_of(DESCRIBED, "ap-northeast-2") == Instance(
        id="shop-prod",
        arn="arn:aws:rds:ap-northeast-2:123456789012:db:shop-prod",
        region="ap-northeast-2",
        status="available",
        engine="postgres",
        engine_version="18.1",
        settings=InstanceSettings(
            instance_class="db.t4g.medium",
            parameter_group="shop-pg18",
            option_group="default:postgres-18",
            security_groups=("sg-0a1b2c3d",),
            subnet_group="private",
            availability_zone="ap-northeast-2a",
            port=5432,
            storage_gb=100,
            storage_type="gp3",
            iops=3000,
            throughput=125,
            max_storage_gb=500,
            is_multi_az=True,
            has_iam_auth=True,
            is_deletion_protected=True,
            copies_tags=True,
            upgrades_minor_versions=False,
            ca_certificate="rds-ca-rsa2048-g1",
            log_exports=("postgresql", "upgrade"),
            retention_days=7,
            backup_window="03:00-04:00",
            maintenance_window="sun:05:00-sun:06:00",
            has_performance_insights=True,
            monitoring_interval=60,
            monitoring_role="arn:aws:iam::123456789012:role/monitoring",
            tags={"team": "shop", "aws:cloudformation:stack-name": "shop"},
        ),
        resource_id="db-SHOP-PROD",
        host="shop-prod.abc.ap-northeast-2.rds.amazonaws.com",
        port=5432,
        user="shop",
        database="shop",
        is_encrypted=True,
        latest_restorable=AT,
        created_at=datetime(2026, 1, 19, 6, 25, tzinfo=UTC),
        pending={"DBInstanceClass": "db.t4g.large"},
    )


def test_an_answer_that_says_only_the_name_is_read() -> None:
    assert instance_of({"DBInstanceIdentifier": "a"}, "r-1") == Instance(
        id="a", arn="", region="r-1", status="unknown", engine="", engine_version="", settings=InstanceSettings()
    )
    assert snapshot_of({"DBSnapshotIdentifier": "a"}, "r-1") == Snapshot(
        id="a", arn="", instance="", kind=SnapshotKind.AWS_BACKUP, status="unknown", region="r-1", engine=""
    )
    assert export_of({"ExportTaskIdentifier": "a"}) == Export("a", "", "")
    assert window_of([{}]) is None


def test_a_snapshot_s_first_time_counts() -> None:
    described = {
        "DBSnapshotIdentifier": "copy",
        "SnapshotType": "manual",
        "SnapshotCreateTime": AT + timedelta(days=3),
        "OriginalSnapshotCreateTime": AT,
        "SourceDBSnapshotIdentifier": "arn:first",
    }
    found = snapshot_of(described, "r-1")
    assert (found.created_at, found.copy_of, found.kind) == (AT, "arn:first", SnapshotKind.MANUAL)
    del described["OriginalSnapshotCreateTime"]
    assert snapshot_of(described, "r-1").created_at == AT + timedelta(days=3)


def test_the_living_instance_s_window_is_taken() -> None:
    old = {"Status": "retained", "RestoreWindow": {"EarliestTime": AT - timedelta(9), "LatestTime": AT - timedelta(8)}}
    new = {"Status": "active", "RestoreWindow": {"EarliestTime": AT - timedelta(1), "LatestTime": AT}}
    assert window_of([old, new]) == RecoveryWindow(AT - timedelta(1), AT)


def test_an_export_s_status_is_in_capitals() -> None:
    answer = {"ExportTaskIdentifier": "e", "Status": "complete", "WarningMessage": "1 table was skipped"}
    assert export_of(answer) == Export("e", "", "COMPLETE", warning="1 table was skipped")


def test_a_restore_is_given_every_setting() -> None:
    settings = instance_of(DESCRIBED, "r-1").settings
    assert restore_parameters(settings, LABEL, EVERYTHING) == {
        "DBInstanceClass": "db.t4g.medium",
        "DBParameterGroupName": "shop-pg18",
        "OptionGroupName": "default:postgres-18",
        "VpcSecurityGroupIds": ["sg-0a1b2c3d"],
        "DBSubnetGroupName": "private",
        "Port": 5432,
        "AllocatedStorage": 100,
        "StorageType": "gp3",
        "MaxAllocatedStorage": 500,
        "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "PreferredBackupWindow": "03:00-04:00",
        "MultiAZ": True,
        "PubliclyAccessible": False,
        "EnableIAMDatabaseAuthentication": True,
        "CopyTagsToSnapshot": True,
        "AutoMinorVersionUpgrade": False,
        "BackupRetentionPeriod": 7,
        "DeletionProtection": False,
        "Tags": [
            {"Key": "team", "Value": "shop"},
            {"Key": "handrail:managed", "Value": "true"},
            {"Key": "handrail:run", "Value": "20260218_062501_9f3a2c"},
            {"Key": "handrail:tier", "Value": "pre-migration"},
        ],
    }


def test_iops_are_told_where_aws_takes_them() -> None:
    large = replace(SETTINGS, storage_gb=400, iops=12000, throughput=500)
    given_ = restore_parameters(large, LABEL, EVERYTHING)
    assert (given_["Iops"], given_["StorageThroughput"]) == (12000, 500)
    assert "Iops" not in restore_parameters(replace(large, storage_gb=399), LABEL, EVERYTHING)


@given(st.frozensets(st.sampled_from(sorted(EVERYTHING))))
def test_an_older_library_is_given_what_it_knows(accepted: frozenset[str]) -> None:
    assert set(restore_parameters(SETTINGS, LABEL, accepted)) <= accepted


def test_what_a_restore_did_not_bring_is_changed_and_protection_last() -> None:
    wanted = replace(SETTINGS, monitoring_interval=60, monitoring_role="arn:role", has_performance_insights=True)
    bare = replace(an_instance(), settings=replace(SETTINGS, max_storage_gb=None, is_deletion_protected=False))
    assert changes(bare, wanted) == (
        ("highest storage", "performance insights", "enhanced monitoring"),
        {
            "MaxAllocatedStorage": 500,
            "EnablePerformanceInsights": True,
            "MonitoringInterval": 60,
            "MonitoringRoleArn": "arn:role",
        },
    )
    nearly = replace(bare, settings=replace(wanted, is_deletion_protected=False))
    assert changes(nearly, wanted) == (("deletion protection",), {"DeletionProtection": True})
    assert changes(replace(bare, settings=wanted), wanted) == ((), {})


def test_what_is_pending_is_not_asked_for_again() -> None:
    bare = replace(an_instance(), settings=replace(SETTINGS, is_multi_az=False), pending={"MultiAZ": "True"})
    assert changes(bare, SETTINGS) == ((), {})


def test_what_was_not_known_is_left_alone() -> None:
    assert changes(replace(an_instance(), settings=replace(SETTINGS, parameter_group="other")), InstanceSettings())[
        0
    ] == (
        "backup retention",
        "Multi-AZ",
        "IAM authentication",
        "tags on snapshots",
    )


def test_callers() -> None:
    assert principal_of("arn:aws:sts::1234:assumed-role/deploy/session-1") == "arn:aws:iam::1234:role/deploy"
    assert principal_of("arn:aws:iam::1234:user/mina") == "arn:aws:iam::1234:user/mina"
    assert principal_of("arn:aws:iam::1234:root") == ""


def test_verdicts() -> None:
    of_two = {
        "ResourceSpecificResults": [{"EvalResourceDecision": "implicitDeny"}, {"EvalResourceDecision": "allowed"}]
    }
    assert verdict(of_two) is True
    assert verdict({"EvalDecision": "allowed"}) is True
    assert verdict({"EvalDecision": "implicitDeny"}) is False
    assert verdict({"EvalDecision": "implicitDeny", "MissingContextValues": ["aws:RequestTag/a"]}) is None


def test_no_key_is_told() -> None:
    said = (
        "Credential=AKIAIOSFODNN7EXAMPLE/2026, Signature=fe5f80f7, X-Amz-Security-Token=IQoJb3 at http://u:pw@host\n x"
    )
    assert redacted(said) == ("Credential=****/2026, Signature=****, X-Amz-Security-Token=**** at http://u:****@host x")
