"""Exports of snapshots to S3: states, objects, tables that are left out, neighbours that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handrail.laboratory.client import REGION
from support.laboratory import TestLaboratory, until

pytestmark = pytest.mark.story


class Place:
    """A bucket, a role and a key, and an export to them."""

    def __init__(self, lab: TestLaboratory) -> None:
        self.lab = lab
        lab.client("s3").create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
        role = lab.client("iam").create_role(RoleName="exporter", AssumeRolePolicyDocument="{}")
        key = lab.client("kms").create_key()
        self.words = {
            "S3BucketName": "exports",
            "IamRoleArn": role["Role"]["Arn"],
            "KmsKeyId": key["KeyMetadata"]["Arn"],
            "SourceArn": "arn:aws:rds:eu-central-1:123456789012:snapshot:of-tables",
        }

    def start(self, name: str, **words: Any) -> dict[str, Any]:
        rds = self.lab.client("rds")
        started: dict[str, Any] = rds.start_export_task(ExportTaskIdentifier=name, **{**self.words, **words})
        return started

    def task(self, name: str, *states: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            (found,) = self.lab.client("rds").describe_export_tasks(ExportTaskIdentifier=name)["ExportTasks"]
            return found if found["Status"] in states else None

        return until(look, f"{name} to be {states}")

    def objects(self, prefix: str) -> list[str]:
        listed = self.lab.client("s3").list_objects_v2(Bucket="exports", Prefix=prefix).get("Contents", [])
        return [one["Key"] for one in listed]


@pytest.fixture(scope="module")
def place(laboratory: TestLaboratory) -> Iterator[Place]:
    instance = laboratory.create("tables", BackupRetentionPeriod=0)
    with laboratory.connect(instance) as connection:
        for statement in (
            "CREATE TABLE orders AS SELECT generate_series(1, 7) AS id",
            "CREATE UNLOGGED TABLE fleeting (id int)",
            'CREATE TABLE odd ("a b" int)',
            'CREATE TABLE "sla/sh" (id int)',
            "CREATE SCHEMA other",
            "CREATE TABLE other.empty (id int)",
        ):
            connection.execute(statement)
    laboratory.client("rds").create_db_snapshot(DBSnapshotIdentifier="of-tables", DBInstanceIdentifier="tables")
    laboratory.snapshot("of-tables", "available")
    yield Place(laboratory)


def test_an_export_writes_a_folder_for_each_table_and_tells_which_it_left_out(place: Place) -> None:
    started = place.start("whole", S3Prefix="year/2026")
    assert (started["Status"], started["PercentProgress"], "TaskStartTime" in started) == ("STARTING", 0, False)
    place.task("whole", "IN_PROGRESS")
    done = place.task("whole", "COMPLETE")
    assert (done["PercentProgress"], done["SourceType"], done["S3Prefix"]) == (100, "SNAPSHOT", "year/2026")
    assert done["TaskStartTime"] < done["TaskEndTime"]
    assert done["WarningMessage"] == (
        "The following tables were skipped: shop.public.fleeting (it is unlogged),"
        " shop.public.odd (its column 'a b' has a character that Parquet does not allow),"
        " shop.public.sla/sh (its name contains a slash)"
    )
    home = "year/2026/whole"
    found = place.objects(home)
    assert [name for name in found if not name.endswith(".parquet")] == [
        f"{home}/export_info_whole.json",
        f"{home}/export_tables_info_whole_from_1_to_5.json",
        f"{home}/shop/other.empty/1/_SUCCESS",
        f"{home}/shop/public.orders/1/_SUCCESS",
    ]
    (rows,) = (name for name in found if "public.orders/1/part-00000-" in name)
    s3 = place.lab.client("s3")
    text = s3.get_object(Bucket="exports", Key=rows)["Body"].read().decode()
    assert text == "handrail laboratory: AWS would write 7 rows of public.orders here, as Parquet.\n"
    listing = json.load(s3.get_object(Bucket="exports", Key=found[1])["Body"])["perTableStatus"]
    assert {one["target"]: one["status"] for one in listing} == {
        "shop.other.empty": "COMPLETE",
        "shop.public.fleeting": "SKIPPED",
        "shop.public.odd": "SKIPPED",
        "shop.public.orders": "COMPLETE",
        "shop.public.sla/sh": "SKIPPED",
    }


def test_chosen_tables_only(place: Place) -> None:
    place.start("chosen", ExportOnly=["shop.other"])
    done = place.task("chosen", "COMPLETE")
    assert "WarningMessage" not in done
    assert place.objects("chosen/shop")[0] == "chosen/shop/other.empty/1/_SUCCESS"
    assert not place.objects("chosen/shop/public.orders")


def test_an_export_is_cancelled_and_a_finished_one_is_not(place: Place) -> None:
    place.start("cancelled")
    rds = place.lab.client("rds")
    assert rds.cancel_export_task(ExportTaskIdentifier="cancelled")["Status"] == "CANCELING"
    place.task("cancelled", "CANCELED")
    with pytest.raises(rds.exceptions.InvalidExportTaskStateFault):
        rds.cancel_export_task(ExportTaskIdentifier="cancelled")
    with pytest.raises(rds.exceptions.ExportTaskNotFoundFault):
        rds.describe_export_tasks(ExportTaskIdentifier="nothing")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"S3BucketName": "nothing"}, "InvalidS3BucketFault"),
        ({"IamRoleArn": "arn:aws:iam::123456789012:role/nothing"}, "IamRoleNotFound"),
        ({"KmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/nothing"}, "KMSKeyNotAccessibleFault"),
        ({"S3Prefix": "a:b"}, "InvalidParameterValue"),
        ({"SourceArn": "arn:aws:rds:eu-central-1:123456789012:snapshot:nothing"}, "DBSnapshotNotFound"),
        ({"SourceArn": "arn:aws:rds:eu-central-1:123456789012:db:tables"}, "InvalidParameterValue"),
    ],
)
def test_what_an_export_needs_has_to_be_there(place: Place, words: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        place.start("never", **words)
    response: Any = refused.value.response
    assert response["Error"]["Code"] == code
