"""Everything that can be made to go wrong in the laboratory, as a client of AWS meets it."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError, WaiterError

from handrail.errors import UsageError
from support.laboratory import PASSWORD, TestLaboratory, until

pytestmark = pytest.mark.story


@pytest.fixture
def lab(laboratory: TestLaboratory) -> Iterator[TestLaboratory]:
    laboratory.faults.forget_calls()
    yield laboratory
    laboratory.faults.clear()


@pytest.fixture(scope="module")
def instance(laboratory: TestLaboratory) -> dict[str, Any]:
    return laboratory.create("faulty", BackupRetentionPeriod=0)


def refusal(call: Any, **words: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refused:
        call(**words)
    response: Any = refused.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def actions(lab: TestLaboratory) -> list[tuple[str, str]]:
    return [(one["action"], one["error"]) for one in lab.faults.calls() if one["service"] == "rds"]


def test_throttled_calls_are_tried_again_by_botocore(lab: TestLaboratory) -> None:
    lab.faults.throttle("DescribeDBInstances", 2)
    assert "DBInstances" in lab.client("rds", attempts=4).describe_db_instances()
    assert actions(lab) == [("DescribeDBInstances", "Throttling")] * 2 + [("DescribeDBInstances", "")]
    lab.faults.throttle("DescribeDBInstances", 1)
    assert refusal(lab.client("rds").describe_db_instances) == ("Throttling", "Rate exceeded", 400)
    assert lab.faults.status()["faults"] == []


def test_any_error_any_number_of_times_of_one_action_only(lab: TestLaboratory) -> None:
    rds = lab.client("rds")
    lab.faults.error("DescribeDBSnapshots", "DBSnapshotNotFound", 2, "Not yet.")
    rds.describe_db_instances()
    for _ in range(2):
        with pytest.raises(rds.exceptions.DBSnapshotNotFoundFault) as refused:
            rds.describe_db_snapshots()
        assert refused.value.response["Error"]["Message"] == "Not yet."
    rds.describe_db_snapshots()
    lab.faults.set("Describe*", code="InternalFailure", times=1, skip=1)
    rds.describe_db_instances()
    assert refusal(rds.describe_db_snapshots)[::2] == ("InternalFailure", 500)
    lab.faults.error("DescribeEvents", "Unheard")
    assert refusal(rds.describe_events) == ("Unheard", "The laboratory was asked to answer Unheard.", 400)


def test_a_dropped_connection_before_and_after_the_server_did_it(lab: TestLaboratory, instance: dict[str, Any]) -> None:
    rds = lab.client("rds")
    lab.instance("faulty", "available")
    lab.faults.drop("CreateDBSnapshot", after=False)
    with pytest.raises((ConnectionClosedError, ReadTimeoutError)):
        rds.create_db_snapshot(DBSnapshotIdentifier="dropped", DBInstanceIdentifier="faulty")
    with pytest.raises(rds.exceptions.DBSnapshotNotFoundFault):
        rds.describe_db_snapshots(DBSnapshotIdentifier="dropped")
    lab.faults.drop("CreateDBSnapshot", after=True)
    found = refusal(
        lab.client("rds", attempts=3).create_db_snapshot, DBSnapshotIdentifier="dropped", DBInstanceIdentifier="faulty"
    )
    assert found[0] == "DBSnapshotAlreadyExists"  # botocore has sent it again by itself
    assert lab.snapshot("dropped", "available")["PercentProgress"] == 100
    assert [one for one in actions(lab) if one[0] == "CreateDBSnapshot"] == [
        ("CreateDBSnapshot", "drop-before"), ("CreateDBSnapshot", "drop-after"), ("CreateDBSnapshot", "DBSnapshotAlreadyExists"),
    ]  # fmt: skip


def test_a_snapshot_is_held_at_a_percent_and_then_fails(lab: TestLaboratory, instance: dict[str, Any]) -> None:
    rds = lab.client("rds")
    lab.instance("faulty", "available")
    lab.faults.next_snapshot(hold_at=40)
    rds.create_db_snapshot(DBSnapshotIdentifier="held", DBInstanceIdentifier="faulty")
    held = until(lambda: one if (one := lab.snapshot("held"))["PercentProgress"] == 40 else None, "40 percent")
    assert held["Status"] == "creating"
    assert lab.instance("faulty")["DBInstanceStatus"] == "backing-up"
    busy = refusal(rds.create_db_snapshot, DBSnapshotIdentifier="second", DBInstanceIdentifier="faulty")
    message = "Instance faulty is not in available or storage-optimization state: backing-up."
    assert busy == ("InvalidDBInstanceState", message, 400)
    assert refusal(rds.delete_db_snapshot, DBSnapshotIdentifier="held")[:2] == (
        "InvalidDBSnapshotState", "Cannot delete the snapshot because it is currently in the creating state.",
    )  # fmt: skip
    lab.faults.change_snapshot("held", fail_at=40)
    assert lab.snapshot("held", "failed")["PercentProgress"] == 40
    lab.instance("faulty", "available")
    assert lab.events("held") == [
        "Creating manual snapshot",
        "The snapshot failed: SnapshotFailed: it was made to fail",
    ]
    with pytest.raises(WaiterError, match="failed"):
        rds.get_waiter("db_snapshot_available").wait(
            DBSnapshotIdentifier="held", WaiterConfig={"Delay": 1, "MaxAttempts": 2}
        )


def test_a_held_snapshot_goes_on_when_it_is_let_go(lab: TestLaboratory, instance: dict[str, Any]) -> None:
    lab.instance("faulty", "available")
    lab.faults.next_snapshot(hold_at=0, hides_time=True)
    lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="let-go", DBInstanceIdentifier="faulty")
    lab.faults.change_snapshot("let-go", hold_at=None)
    done = lab.snapshot("let-go", "available")
    assert "SnapshotCreateTime" not in done
    lab.faults.change_snapshot("let-go", hides_time=False)
    assert "SnapshotCreateTime" in lab.snapshot("let-go")


def test_an_instance_in_any_state(lab: TestLaboratory, instance: dict[str, Any]) -> None:
    lab.instance("faulty", "available")
    for state in ("storage-full", "maintenance", "unheard-of"):
        lab.faults.change_instance("faulty", status=state)
        assert lab.instance("faulty")["DBInstanceStatus"] == state
        assert refusal(
            lab.client("rds").create_db_snapshot, DBSnapshotIdentifier="never", DBInstanceIdentifier="faulty"
        )[0] == "InvalidDBInstanceState"  # fmt: skip
    lab.faults.change_instance("faulty", status="available")
    with lab.connect(instance) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_denied_actions_and_expired_credentials(lab: TestLaboratory) -> None:
    rds = lab.client("rds")
    lab.faults.deny("CreateDBSnapshot")
    for _ in range(2):
        assert refusal(rds.create_db_snapshot, DBSnapshotIdentifier="a", DBInstanceIdentifier="faulty") == (
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/laboratory is not authorized to perform: rds:CreateDBSnapshot",
            403,
        )
    lab.faults.clear()
    lab.faults.expire_credentials()
    expired = ("ExpiredToken", "The security token included in the request is expired", 403)
    assert refusal(rds.describe_db_instances) == expired
    assert refusal(lab.client("sts").get_caller_identity) == expired
    assert refusal(lab.client("s3").list_buckets) == expired
    assert refusal(lab.client("kms").list_keys) == expired
    lab.faults.clear()
    assert lab.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_the_log_knows_parameters_and_no_passwords(lab: TestLaboratory) -> None:
    rds = lab.client("rds")
    refusal(
        rds.create_db_instance, DBInstanceIdentifier="never", Engine="mysql", DBInstanceClass="db.t4g.micro",
        MasterUserPassword=PASSWORD,
    )  # fmt: skip
    lab.client("sts").get_caller_identity()
    lab.client("s3").list_buckets()
    calls = [{**one, "time": ""} for one in lab.faults.calls()]
    assert calls == [
        {
            "time": "",
            "service": "rds",
            "action": "CreateDBInstance",
            "parameters": {
                "DBInstanceIdentifier": "never",
                "Engine": "mysql",
                "DBInstanceClass": "db.t4g.micro",
                "MasterUserPassword": "***",
            },
            "status": 400,
            "error": "InvalidParameterValue",
        },
        {"time": "", "service": "sts", "action": "GetCallerIdentity", "parameters": {}, "status": 200, "error": ""},
        {"time": "", "service": "s3", "action": "GET /", "parameters": {}, "status": 200, "error": ""},
    ]


def test_what_cannot_be_set_is_refused(lab: TestLaboratory) -> None:
    refused_calls: tuple[tuple[Callable[[], None], str], ...] = (
        (
            lambda: lab.faults.set("A", kind="explode"),
            "ValueError: kind is one of error, drop-before, drop-after, not 'explode'",
        ),
        (
            lambda: lab.faults.next_snapshot(hold=4),
            "ValueError: hold is not known; there is fail_at, hides_time, hold_at",
        ),
        (lambda: lab.faults.change_snapshot("nothing", percent=4), "DBSnapshot nothing not found."),
        (lambda: lab.faults.back_up("nothing"), "DBInstance nothing not found."),
    )
    for call, message in refused_calls:
        with pytest.raises(UsageError) as refused:
            call()
        assert refused.value.message == message


def test_actions_that_the_laboratory_does_not_have_say_so(lab: TestLaboratory) -> None:
    found = refusal(lab.client("rds").describe_db_clusters)
    assert found == (
        "InvalidAction",
        "The laboratory does not know DescribeDBClusters; see https://github.com/puddingcamp/handrail/blob/main/docs/lab.md",
        400,
    )


def test_pages_of_other_sites_are_not_answered(lab: TestLaboratory) -> None:
    for path in ("/", "/_lab/status"):
        connection = http.client.HTTPConnection(lab.endpoint.removeprefix("http://"))
        connection.request("GET", path, headers={"Origin": "https://example.org"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (403, b"The laboratory answers no pages of other sites.")
        connection.close()


def test_what_the_laboratory_does_not_foresee_is_an_internal_failure(lab: TestLaboratory) -> None:
    lab.faults.seed(instances=[{"identifier": "odd", "settings": {"VpcSecurityGroupIds": 5}}])
    found = refusal(lab.client("rds").describe_db_instances, DBInstanceIdentifier="odd")
    assert found == ("InternalFailure", "TypeError: 'int' object is not iterable", 500)
    lab.faults.forget_seeds()


def test_answers_are_xml_whatever_is_in_them(lab: TestLaboratory) -> None:
    lab.faults.error("DescribeEvents", "Odd", message="a\x00\x1b<&>\ud55c")
    assert refusal(lab.client("rds").describe_events)[:2] == ("Odd", "a\ufffd\ufffd<&>\ud55c")
