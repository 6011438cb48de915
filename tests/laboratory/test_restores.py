"""What restored instances take over and what not, and which restores are refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.laboratory import PASSWORD, USER, TestLaboratory, until

pytestmark = pytest.mark.story

SHOWN = (
    *(
        "MultiAZ",
        "DeletionProtection",
        "IAMDatabaseAuthenticationEnabled",
        "AutoMinorVersionUpgrade",
        "CopyTagsToSnapshot",
    ),
    *("BackupRetentionPeriod", "PreferredBackupWindow", "AllocatedStorage", "DBInstanceClass", "StorageType"),
)


def told(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    response: Any = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"]


def groups(instance: dict[str, Any]) -> tuple[str, list[str]]:
    (group,) = instance["DBParameterGroups"]
    return group["DBParameterGroupName"], [one["VpcSecurityGroupId"] for one in instance["VpcSecurityGroups"]]


@pytest.fixture(scope="module")
def source(laboratory: TestLaboratory) -> Iterator[dict[str, Any]]:
    """An instance that has nothing of the defaults, and a snapshot `settings-1` of it."""
    rds = laboratory.client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres15", Description="own")
    yield laboratory.create(
        "settings",
        AllocatedStorage=50,
        MultiAZ=True,
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        AutoMinorVersionUpgrade=False,
        CopyTagsToSnapshot=True,
        BackupRetentionPeriod=9,
        PreferredBackupWindow="01:00-01:45",
        DBParameterGroupName="own",
        VpcSecurityGroupIds=["sg-1", "sg-2"],
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    rds.modify_db_instance(DBInstanceIdentifier="settings", DeletionProtection=False, ApplyImmediately=True)


def test_a_restored_instance_has_the_defaults_where_it_was_not_told(
    laboratory: TestLaboratory, source: dict[str, Any]
) -> None:
    rds = laboratory.client("rds")
    assert groups(source) == ("own", ["sg-1", "sg-2"])
    rds.create_db_snapshot(
        DBSnapshotIdentifier="settings-1", DBInstanceIdentifier="settings", Tags=[{"Key": "run", "Value": "1"}]
    )
    snapshot = laboratory.snapshot("settings-1", "available")
    assert snapshot["TagList"] == [{"Key": "team", "Value": "shop"}, {"Key": "run", "Value": "1"}]
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="settings-1", DBInstanceIdentifier="settings-2")
    plain = laboratory.instance("settings-2", "available")
    major = plain["EngineVersion"].partition(".")[0]
    assert groups(plain) == (f"default.postgres{major}", ["sg-default"])
    assert [plain[name] for name in SHOWN] == [
        False,
        False,
        False,
        True,
        False,
        9,
        "01:00-01:45",
        50,
        "db.t4g.medium",
        "gp2",
    ]
    assert plain["TagList"] == [{"Key": "team", "Value": "shop"}, {"Key": "run", "Value": "1"}]


def test_what_is_told_counts_also_where_it_is_false_or_zero(laboratory: TestLaboratory, source: dict[str, Any]) -> None:
    rds = laboratory.client("rds")
    until(lambda: "LatestRestorableTime" in laboratory.instance("settings"), "the archive")
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=source["DbiResourceId"],
        TargetDBInstanceIdentifier="settings-3",
        UseLatestRestorableTime=True,
        AutoMinorVersionUpgrade=False,
        MultiAZ=True,
        BackupRetentionPeriod=0,
        DBParameterGroupName="own",
        VpcSecurityGroupIds=["sg-1"],
        Tags=[],
    )
    told_so = laboratory.instance("settings-3", "available")
    assert groups(told_so) == ("own", ["sg-1"])
    assert [told_so[name] for name in SHOWN[:6]] == [True, False, False, False, False, 0]
    assert "LatestRestorableTime" not in told_so
    with pytest.raises(rds.exceptions.PointInTimeRestoreNotEnabledFault) as refused:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="settings-3",
            TargetDBInstanceIdentifier="settings-4",
            UseLatestRestorableTime=True,
        )
    assert told(refused)[1] == "Point In Time Restore is not enabled for instance settings-3"


def test_the_moment_has_to_be_within_the_window(laboratory: TestLaboratory, source: dict[str, Any]) -> None:
    rds = laboratory.client("rds")
    (backup,) = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="settings")[
        "DBInstanceAutomatedBackups"
    ]
    window, second = backup["RestoreWindow"], timedelta(seconds=1)
    assert backup["Status"] == "active"
    assert window["EarliestTime"] < datetime.now(UTC)

    def refusal(**words: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as refused:
            rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier="settings", TargetDBInstanceIdentifier="never", **words
            )
        return told(refused)

    early = (window["EarliestTime"] - second).astimezone(UTC)
    code, message = refusal(RestoreTime=early)
    shown = early.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert code == "InvalidParameterValue"
    assert message.startswith(
        f"The specified instance settings cannot be restored to {shown}: earliest restorable time is "
    )
    future = (datetime.now(UTC) + timedelta(days=10)).replace(microsecond=0)
    shown = future.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert refusal(RestoreTime=future) == (
        "InvalidParameterValue",
        f"The specified RestoreTime {shown} is in the future.",
    )
    assert refusal() == (
        "InvalidParameterCombination", "Either RestoreTime or UseLatestRestorableTime must be specified.",
    )  # fmt: skip
    assert refusal(RestoreTime=early, UseLatestRestorableTime=True) == (
        "InvalidParameterCombination", "RestoreTime and UseLatestRestorableTime cannot be specified together.",
    )  # fmt: skip


def test_restores_that_cannot_be(laboratory: TestLaboratory, source: dict[str, Any]) -> None:
    rds = laboratory.client("rds")
    laboratory.faults.seed(
        snapshots=[
            {"identifier": "no-data", "instance": "settings"},
            {"identifier": "half", "instance": "settings", "status": "creating", "percent": 40},
        ]
    )

    def refusal(snapshot: str, name: str, **words: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as refused:
            rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=name, **words)
        return told(refused)

    laboratory.faults.change_snapshot("half", status="creating")
    assert refusal("half", "never") == ("InvalidDBSnapshotState", "Snapshot half is not available: creating.")
    assert refusal("no-data", "never") == (
        "InvalidDBSnapshotState",
        "Snapshot no-data was seeded: no data is behind it.",
    )
    assert refusal("nothing", "never") == ("DBSnapshotNotFound", "DBSnapshot nothing not found.")
    automated = rds.describe_db_snapshots(DBInstanceIdentifier="settings", SnapshotType="automated")["DBSnapshots"][0]
    name = automated["DBSnapshotIdentifier"]
    assert refusal(name, "settings") == ("DBInstanceAlreadyExists", "DB instance already exists")
    assert refusal(name, "never", DBParameterGroupName="unknown") == (
        "DBParameterGroupNotFound", "DBParameterGroup not found: unknown",
    )  # fmt: skip
    assert refusal(name, "never", AllocatedStorage=20) == (
        "InvalidParameterCombination", "The allocated storage cannot be smaller than that of the source.",
    )  # fmt: skip


def test_retained_backups_outlive_their_instance(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    instance = laboratory.create("retained", BackupRetentionPeriod=3)
    with laboratory.connect(instance) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    rds.delete_db_instance(DBInstanceIdentifier="retained", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    laboratory.gone("retained")
    (backup,) = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="retained")[
        "DBInstanceAutomatedBackups"
    ]
    assert backup["Status"] == "retained"
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=instance["DbiResourceId"],
        TargetDBInstanceIdentifier="retained-again",
        UseLatestRestorableTime=True,
    )
    again = laboratory.instance("retained-again", "available")
    with laboratory.connect(again) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]
    rds.delete_db_instance_automated_backup(DbiResourceId=instance["DbiResourceId"])
    with pytest.raises(rds.exceptions.DBInstanceAutomatedBackupNotFoundFault):
        rds.describe_db_instance_automated_backups(DbiResourceId=instance["DbiResourceId"])


def test_a_copied_snapshot_keeps_its_data_and_its_first_time(
    laboratory: TestLaboratory, source: dict[str, Any]
) -> None:
    rds = laboratory.client("rds")
    (automated, *_) = rds.describe_db_snapshots(DBInstanceIdentifier="settings", SnapshotType="automated")[
        "DBSnapshots"
    ]
    rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=automated["DBSnapshotIdentifier"], TargetDBSnapshotIdentifier="copied", CopyTags=True
    )
    copied = laboratory.snapshot("copied", "available")
    assert copied["OriginalSnapshotCreateTime"] == automated["SnapshotCreateTime"] < copied["SnapshotCreateTime"]
    assert (copied["SnapshotType"], copied["SourceDBSnapshotIdentifier"]) == ("manual", automated["DBSnapshotArn"])
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="copied", DBInstanceIdentifier="of-copy")
    with laboratory.connect(laboratory.instance("of-copy", "available")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (USER,)


def test_retention_from_0_begins_backups_and_to_0_ends_them(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    laboratory.create("days", BackupRetentionPeriod=0)

    def automated() -> list[Any]:
        return list(rds.describe_db_snapshots(DBInstanceIdentifier="days", SnapshotType="automated")["DBSnapshots"])

    assert automated() == []
    rds.modify_db_instance(DBInstanceIdentifier="days", BackupRetentionPeriod=7)
    waiting = laboratory.instance("days", "available")
    assert (waiting["BackupRetentionPeriod"], waiting["PendingModifiedValues"]) == (0, {"BackupRetentionPeriod": 7})
    rds.modify_db_instance(DBInstanceIdentifier="days", ApplyImmediately=True)
    changed = until(
        lambda: found if (found := laboratory.instance("days", "available"))["BackupRetentionPeriod"] else None, "7"
    )
    assert (changed["BackupRetentionPeriod"], changed["PendingModifiedValues"]) == (7, {})
    assert len(automated()) == 1
    rds.modify_db_instance(DBInstanceIdentifier="days", BackupRetentionPeriod=0, ApplyImmediately=True)
    laboratory.instance("days", "available")
    assert automated() == []
    laboratory.faults.change_instance("days", settings={"AwsBackupRecoveryPointArn": "arn:aws:backup:x"})
    with pytest.raises(ClientError) as refused:
        rds.modify_db_instance(DBInstanceIdentifier="days", BackupRetentionPeriod=5)
    assert told(refused) == (
        "InvalidParameterCombination",
        "The backup retention period is managed by AWS Backup and cannot be modified here.",
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ({"Engine": "mysql"}, "InvalidParameterValue", "Invalid DB engine: mysql. The laboratory has real servers of `postgres` only."),
        ({"DBInstanceClass": "large"}, "InvalidParameterValue", "Invalid DB Instance class: large"),
        ({"AllocatedStorage": 1}, "InvalidParameterValue", "Invalid storage size for engine name postgres and storage type gp2: 1"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue", "Invalid backup retention period: 36. Must be between 0 and 35 days."),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue", "MasterUsername rdsadmin cannot be used as it is a reserved word used by the engine"),
        ({"EngineVersion": "0.1"}, "InvalidParameterCombination", "Cannot find version 0.1 for postgres"),
        (
            {"PreferredBackupWindow": "03:00-04:00", "PreferredMaintenanceWindow": "Mon:03:30-Mon:04:30"},
            "InvalidParameterValue",
            "The backup window and maintenance window must not overlap.",
        ),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "The parameter MasterUserPassword is not a valid password because it is not 8 to 128 long."),
    ],
)  # fmt: skip
def test_instances_that_cannot_be(laboratory: TestLaboratory, words: dict[str, Any], code: str, message: str) -> None:
    wanted = {"Engine": "postgres", "DBInstanceClass": "db.t4g.medium", "AllocatedStorage": 20}
    access = {"MasterUsername": USER, "MasterUserPassword": PASSWORD}
    with pytest.raises(ClientError) as refused:
        laboratory.client("rds").create_db_instance(DBInstanceIdentifier="never", **{**wanted, **access, **words})
    assert told(refused) == (code, message)
