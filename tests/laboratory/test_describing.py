"""Pages, filters, limits and quotas, with snapshots as many and as old as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.laboratory import TestLaboratory

pytestmark = pytest.mark.story

MANY = 250
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def told(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response: Any = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def names(snapshots: list[dict[str, Any]]) -> list[str]:
    return [one["DBSnapshotIdentifier"] for one in snapshots]


@pytest.fixture(scope="module")
def many(laboratory: TestLaboratory) -> Iterator[list[str]]:
    """An instance with 250 snapshots of its own, a day apart, tagged."""
    seeded = [
        {
            "identifier": f"many-{number:03}",
            "instance": "many",
            "created": (BEGIN + timedelta(days=number)).isoformat(),
            "tags": {"number": str(number)},
            "size": number,
        }
        for number in range(MANY)
    ]
    other: list[dict[str, Any]] = [
        {"identifier": "rds:many-2026-01-01-03-00", "instance": "many", "kind": "automated"},
        {"identifier": "awsbackup:job-1", "instance": "many", "kind": "awsbackup"},
    ]
    laboratory.faults.seed(instances=[{"identifier": "many", "tags": {"team": "shop"}}], snapshots=[*seeded, *other])
    yield [str(one["identifier"]) for one in seeded]
    laboratory.faults.forget_seeds()


def test_the_first_page_is_not_everything(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")
    first = rds.describe_db_snapshots(DBInstanceIdentifier="many", SnapshotType="manual")
    assert (len(first["DBSnapshots"]), names(first["DBSnapshots"])) == (100, many[:100])
    pages = list(
        rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier="many", SnapshotType="manual", PaginationConfig={"PageSize": 20}
        )
    )
    assert [len(page["DBSnapshots"]) for page in pages] == [20] * 12 + [10]
    assert [name for page in pages for name in names(page["DBSnapshots"])] == many
    assert "Marker" not in pages[-1]


def test_a_marker_goes_on_behind_what_was_deleted_meanwhile(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")
    first = rds.describe_db_snapshots(DBInstanceIdentifier="many", SnapshotType="manual", MaxRecords=20)
    seed = {"identifier": many[19], "instance": "many", "created": BEGIN.isoformat()}
    rds.delete_db_snapshot(DBSnapshotIdentifier=many[19])
    try:
        second = rds.describe_db_snapshots(
            DBInstanceIdentifier="many", SnapshotType="manual", MaxRecords=20, Marker=first["Marker"]
        )
        assert names(second["DBSnapshots"]) == many[20:40]
    finally:
        laboratory.faults.seed(snapshots=[seed])
        many.append(many.pop(19))  # it is the newest now


@pytest.mark.parametrize("size", [19, 101])
def test_a_page_has_20_to_100_records(laboratory: TestLaboratory, size: int) -> None:
    rds = laboratory.client("rds")
    for call in (
        rds.describe_db_snapshots, rds.describe_db_instances, rds.describe_events,
        rds.describe_db_instance_automated_backups,
    ):  # fmt: skip
        with pytest.raises(ClientError) as refused:
            call(MaxRecords=size)
        message = f"Invalid value {size} for MaxRecords. Must be between 20 and 100"
        assert told(refused) == ("InvalidParameterValue", message, 400)
    with pytest.raises(ClientError) as refused:
        rds.describe_db_snapshots(Marker="elsewhere")
    assert told(refused) == ("InvalidParameterValue", "Invalid marker: elsewhere", 400)


def test_types_filters_and_sizes(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")

    def found(**words: Any) -> list[str]:
        return names(rds.describe_db_snapshots(DBInstanceIdentifier="many", **words)["DBSnapshots"])

    assert found(SnapshotType="automated") == ["rds:many-2026-01-01-03-00"]
    assert found(SnapshotType="awsbackup") == ["awsbackup:job-1"]
    assert found(SnapshotType="shared") == []
    assert found(Filters=[{"Name": "db-snapshot-id", "Values": ["many-007", "many-008"]}]) == ["many-007", "many-008"]
    one = rds.describe_db_snapshots(DBSnapshotIdentifier="many-007")["DBSnapshots"][0]
    assert one["SnapshotCreateTime"] == BEGIN + timedelta(days=7)
    assert (one["TagList"], one["FullSnapshotSizeInBytes"]) == ([{"Key": "number", "Value": "7"}], 7)
    with pytest.raises(ClientError) as refused:
        found(SnapshotType="old")
    assert (
        told(refused)[1] == "Invalid snapshot type: old. Must be one of automated, manual, shared, public, awsbackup."
    )
    with pytest.raises(ClientError) as refused:
        found(Filters=[{"Name": "age", "Values": ["7"]}])
    assert told(refused) == ("InvalidParameterValue", "Unrecognized filter name: age", 400)
    with pytest.raises(rds.exceptions.DBSnapshotNotFoundFault):
        rds.describe_db_snapshots(DBSnapshotIdentifier="nothing")


def test_beyond_the_quota_there_is_no_further_snapshot(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")
    quotas = {one["AccountQuotaName"]: one for one in rds.describe_account_attributes()["AccountQuotas"]}
    assert quotas["ManualSnapshots"]["Max"] == 100
    assert quotas["ManualSnapshots"]["Used"] >= len(many)
    with pytest.raises(rds.exceptions.SnapshotQuotaExceededFault) as refused:
        rds.create_db_snapshot(DBSnapshotIdentifier="one-more", DBInstanceIdentifier="many")
    assert told(refused) == ("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots", 400)


def test_automated_snapshots_are_not_deleted_by_name(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")
    for name, message in {
        "rds:many-2026-01-01-03-00": "The snapshot rds:many-2026-01-01-03-00 is not a manual snapshot and cannot be deleted.",
        "awsbackup:job-1": "The snapshot awsbackup:job-1 is managed by AWS Backup: delete it there.",
    }.items():
        with pytest.raises(rds.exceptions.InvalidDBSnapshotStateFault) as refused:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)
        assert told(refused)[1] == message


def test_tags_are_added_and_removed_by_arn(laboratory: TestLaboratory, many: list[str]) -> None:
    rds = laboratory.client("rds")
    arn = rds.describe_db_instances(DBInstanceIdentifier="many")["DBInstances"][0]["DBInstanceArn"]
    assert arn == "arn:aws:rds:eu-central-1:123456789012:db:many"
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["b", "unknown"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [
        {"Key": "team", "Value": "shop"}, {"Key": "a", "Value": "1"},
    ]  # fmt: skip
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    for tags, message in (
        ([{"Key": "aws:x", "Value": ""}], "Tag keys that begin with aws: are reserved for internal use."),
        ([{"Key": f"k{n}", "Value": ""} for n in range(50)], "The number of tags exceeds the limit of 50."),
        ([{"Key": "a", "Value": ""}] * 2, "Tag keys must be unique."),
    ):
        with pytest.raises(ClientError) as refused:
            rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
        assert told(refused) == ("InvalidParameterValue", message, 400)
    with pytest.raises(rds.exceptions.DBInstanceNotFoundFault):
        rds.list_tags_for_resource(ResourceName="arn:aws:rds:eu-central-1:123456789012:db:nothing")


def test_events_are_of_the_last_hour_and_of_whom_was_asked_for(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    with pytest.raises(ClientError) as refused:
        rds.describe_events(SourceIdentifier="many")
    assert told(refused) == ("InvalidParameterCombination", "SourceType must be supplied with SourceIdentifier.", 400)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert rds.describe_events(EndTime=hour_ago)["Events"] == []
    assert rds.describe_events(SourceType="db-instance", SourceIdentifier="unheard-of")["Events"] == []


def test_members_of_a_cluster_have_no_snapshots_of_their_own(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    member = {"Engine": "aurora-postgresql", "DBClusterIdentifier": "cluster"}
    laboratory.faults.seed(instances=[{"identifier": "member", "settings": member}])
    with pytest.raises(ClientError) as refused:
        rds.create_db_snapshot(DBSnapshotIdentifier="of-member", DBInstanceIdentifier="member")
    assert told(refused) == (
        "InvalidParameterValue",
        "The specified instance is a member of a cluster and a snapshot cannot be created directly."
        " Please use the CreateDBClusterSnapshot API instead.",
        400,
    )
    found = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": ["cluster"]}])["DBInstances"]
    assert [one["DBInstanceIdentifier"] for one in found] == ["member"]


def test_the_versions_that_can_be_had_are_those_of_this_machine(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    found = [one["EngineVersion"] for one in rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]]
    assert [one.partition(".")[0] for one in found] == sorted(str(n) for n in laboratory.faults.status()["servers"])
