"""RDS that misbehaves: pages, throttling, answers that are lost, rights that are missing, snapshots that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from handrail.databases.rds.client import Account, Clients
from handrail.databases.rds.snapshots import RdsSnapshots
from handrail.databases.snapshots import NameTaken, NoCredentials, NotThere, QuotaReached, RightMissing, TriedTooOften
from handrail.databases.waiting import NeverReady, Patience, wait_for_snapshot
from handrail.snapshots.snapshot import Label, Snapshot
from handrail.snapshots.waiting import Wait
from support.laboratory import TestLaboratory

LABEL = Label("20260218_062501_9f3a2c")
PATIENCE = Patience(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.1)), 60.0, grace=2.0)
LIVE = "faulty"


@pytest.fixture(scope="module")
def live(laboratory: TestLaboratory) -> str:
    laboratory.create(LIVE)
    return LIVE


@pytest.fixture
def faults(laboratory: TestLaboratory, live: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestLaboratory]:
    for name, value in laboratory.environ.items():
        monkeypatch.setenv(name, value)
    laboratory.faults.forget_calls()
    yield laboratory
    laboratory.faults.clear()


def snapshots(laboratory: TestLaboratory, attempts: int = 10) -> RdsSnapshots:
    return RdsSnapshots(Clients(Account(laboratory.environ["AWS_REGION"]), attempts=attempts))


def calls(laboratory: TestLaboratory, action: str) -> int:
    return sum(one["action"] == action for one in laboratory.faults.calls())


def taken(laboratory: TestLaboratory, name: str) -> Snapshot:
    hosted = snapshots(laboratory)
    hosted.take(name, LIVE, LABEL)
    return wait_for_snapshot(hosted, name, PATIENCE)


def test_250_snapshots_are_listed_whole(faults: TestLaboratory) -> None:
    seeded = [
        {"identifier": f"seeded-{number}", "instance": "elsewhere", "kind": "manual" if number < 60 else "automated"}
        for number in range(250)
    ]
    faults.faults.seed(snapshots=seeded)
    found = snapshots(faults).snapshots("elsewhere")
    assert len({one.id for one in found}) == 250
    rds = faults.client("rds")
    for number in range(60):
        rds.delete_db_snapshot(DBSnapshotIdentifier=f"seeded-{number}")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_connection_that_is_dropped_takes_one_snapshot(faults: TestLaboratory, after: bool) -> None:
    name = f"dropped-{'after' if after else 'before'}"
    faults.faults.drop("CreateDBSnapshot", after=after)
    assert taken(faults, name).label == LABEL
    assert calls(faults, "CreateDBSnapshot") == 2
    assert [one.id for one in snapshots(faults).snapshots(LIVE)].count(name) == 1


def test_a_rename_whose_answer_is_lost(faults: TestLaboratory) -> None:
    faults.create("named-so")
    faults.faults.drop("ModifyDBInstance", after=True)
    before = snapshots(faults).instance("named-so").resource_id
    assert snapshots(faults).rename("named-so", "named-otherwise").resource_id == before


def test_throttling_passes_unnoticed(faults: TestLaboratory) -> None:
    faults.faults.throttle("DescribeDBInstances", 2)
    assert snapshots(faults).instance(LIVE).id == LIVE
    assert calls(faults, "DescribeDBInstances") == 3


@pytest.mark.story
@pytest.mark.story
def test_throttling_six_times_in_a_row(faults: TestLaboratory) -> None:
    faults.faults.throttle("CreateDBSnapshot", 6)
    assert taken(faults, "throttled-often").is_available


def test_throttling_that_does_not_end(faults: TestLaboratory) -> None:
    faults.faults.throttle("DescribeDBInstances", 0)
    with pytest.raises(TriedTooOften) as caught:
        snapshots(faults, attempts=2).instance(LIVE)
    assert caught.value.message == "AWS was too busy to find the instance faulty"
    assert caught.value.why == "Throttling: Rate exceeded"
    assert caught.value.hint == "it was tried several times; try again in some minutes"


def test_a_missing_right(faults: TestLaboratory) -> None:
    faults.faults.deny("CreateDBSnapshot")
    with pytest.raises(RightMissing) as caught:
        snapshots(faults).take("denied", LIVE, LABEL)
    assert caught.value.action == "rds:CreateDBSnapshot"
    assert caught.value.message == (
        "the right rds:CreateDBSnapshot is missing, to take the snapshot denied of the instance faulty"
    )


def test_expired_credentials(faults: TestLaboratory) -> None:
    faults.faults.expire_credentials()
    with pytest.raises(NoCredentials) as caught:
        snapshots(faults).instance(LIVE)
    assert caught.value.message == "AWS does not take these credentials, to find the instance faulty"
    assert caught.value.why == "ExpiredToken: The security token included in the request is expired"


def test_no_credentials(faults: TestLaboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NoCredentials) as caught:
        snapshots(faults).instance(LIVE)
    assert caught.value.message == "there are no credentials to find the instance faulty"


def test_another_region(faults: TestLaboratory) -> None:
    elsewhere = RdsSnapshots(Clients(Account("ap-south-1")))
    with pytest.raises(NotThere) as caught:
        elsewhere.instance(LIVE)
    assert caught.value.message == "AWS did not find the instance faulty in ap-south-1"
    assert caught.value.hint == (
        "in another region it would be another one: `rds.region` says ap-south-1; handrail rds list"
    )


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, faults: TestLaboratory) -> None:
    with pytest.raises(TriedTooOften) as caught:
        RdsSnapshots(Clients(Account("eu-central-1", endpoint_url="http://127.0.0.1:1"), attempts=2)).instance(LIVE)
    assert caught.value.message == "AWS could not be reached to find the instance faulty"


def test_a_snapshot_that_fails(faults: TestLaboratory) -> None:
    faults.faults.next_snapshot(fail_at=40)
    with pytest.raises(NeverReady) as caught:
        taken(faults, "failing")
    assert caught.value.message == "snapshot failing will not become available"
    assert caught.value.why == "its state is failed"


def test_a_snapshot_without_its_time(faults: TestLaboratory) -> None:
    faults.faults.next_snapshot(hides_time=True)
    found = taken(faults, "timeless")
    assert (found.is_available, found.created_at) == (True, None)


def test_percents_are_told(faults: TestLaboratory) -> None:
    faults.faults.next_snapshot(hold_at=40)
    hosted, heard = snapshots(faults), list[Wait]()

    def hear(wait: Wait) -> None:
        heard.append(wait)
        if wait.percent == 40:
            faults.faults.clear()

    hosted.take("held", LIVE, LABEL)
    wait_for_snapshot(hosted, "held", PATIENCE, heard=hear)
    assert "creating, 40 %" in [one.text for one in heard]


def test_the_quota_is_reached(faults: TestLaboratory) -> None:
    free = snapshots(faults).quota().free
    names = [f"full-{number}" for number in range(free)]
    faults.faults.seed(snapshots=[{"identifier": name, "instance": "elsewhere", "kind": "manual"} for name in names])
    with pytest.raises(QuotaReached):
        snapshots(faults).take("one-too-many", LIVE, LABEL)
    rds = faults.client("rds")
    for name in names:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def test_a_foreign_snapshot_of_the_name(faults: TestLaboratory) -> None:
    faults.client("rds").create_db_snapshot(DBSnapshotIdentifier="somebody-s", DBInstanceIdentifier=LIVE)
    wait_for_snapshot(snapshots(faults), "somebody-s", PATIENCE)
    with pytest.raises(NameTaken) as caught:
        snapshots(faults).take("somebody-s", LIVE, LABEL)
    assert caught.value.message == "AWS did not take the snapshot somebody-s of the instance faulty"
    assert caught.value.hint == "choose another name; handrail rds list shows those that are taken"
