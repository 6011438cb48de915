"""When automated backups are taken and removed, and that the restore window keeps RDS's distance where it is asked to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from handrail.laboratory.automated import expired, is_due
from support.laboratory import PASSWORD, TestLaboratory, lab_folder, running_laboratory

pytestmark = pytest.mark.story

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds - 5 * 10**8))


@pytest.mark.parametrize(
    ("window", "last", "due"),
    [
        ("11:45-12:15", None, True),
        ("11:45-12:15", "2026-11-27T11:50", True),
        ("11:45-12:15", "2026-11-28T11:50", False),
        ("12:00-12:30", "2026-11-28T11:59", True),
        ("11:30-12:00", None, False),
        ("12:01-12:31", None, False),
        ("23:50-12:30", "2026-11-27T23:55", False),
        ("23:50-12:30", "2026-11-27T23:45", True),
    ],
)
def test_one_backup_is_due_in_each_window(window: str, last: str | None, due: bool) -> None:
    made = datetime.fromisoformat(f"{last}+00:00") if last else None
    assert is_due(window, NOON, made) is due


@given(st.integers(0, 23), st.sampled_from([0, 15, 45]), MOMENTS)
def test_a_backup_that_was_just_made_is_not_due_again(hour: int, minute: int, moment: datetime) -> None:
    window = f"{hour:02}:{minute:02}-{(hour + 1) % 24:02}:{minute:02}"
    assert not is_due(window, moment, moment)


@given(st.lists(MOMENTS), MOMENTS)
def test_what_is_kept_can_bring_back_every_moment_since_the_limit(ends: list[datetime], limit: datetime) -> None:
    ends = sorted(ends)
    kept = ends[expired(ends, limit) :]
    assert kept == [] if not ends else kept[0] < limit or kept == ends
    assert all(end >= limit for end in kept[1:])


def test_old_backups_go_with_the_wal_that_only_they_needed(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    instance = laboratory.create("aging", BackupRetentionPeriod=1)
    wal = laboratory.folder / "wal" / instance["DbiResourceId"]
    first = {path.name for path in wal.iterdir()}
    laboratory.faults.back_up("aging")
    laboratory.instance("aging", "available")
    assert first <= {path.name for path in wal.iterdir()}
    names = [
        one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots(DBInstanceIdentifier="aging")["DBSnapshots"]
    ]
    for days, name in ((3, names[0]), (2, names[1])):
        laboratory.faults.change_snapshot(name, ended=(datetime.now(UTC) - timedelta(days=days)).isoformat())
    end = time.monotonic() + 20
    while len(found := rds.describe_db_snapshots(DBInstanceIdentifier="aging")["DBSnapshots"]) > 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [one["DBSnapshotIdentifier"] for one in found] == names[1:]
    while first & {path.name for path in wal.iterdir()}:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_real_distance_another_quota_and_nothing_secret_on_the_disk() -> None:
    with lab_folder() as folder:
        with running_laboratory(folder, "--real-lag", "--quota", "2") as lab:
            instance = lab.create("slow")
            first = lab.instance("slow")["LatestRestorableTime"]
            with lab.connect(instance) as connection:
                connection.execute("CREATE TABLE late AS SELECT 1 AS id")
            time.sleep(2.5)
            assert lab.instance("slow")["LatestRestorableTime"] == first
            assert lab.faults.status()["lag"] == 300.0
            lab.faults.seed(snapshots=[{"identifier": f"full-{n}", "instance": "slow"} for n in (1, 2)])
            with pytest.raises(ClientError, match="Cannot create more than 2 manual snapshots"):
                lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="full-3", DBInstanceIdentifier="slow")
            lab.client("rds").modify_db_instance(DBInstanceIdentifier="slow", MasterUserPassword=f"{PASSWORD}-2")
            lab.instance("slow", "available")
        texts = [path.read_bytes() for path in folder.iterdir() if path.is_file()]
    assert any(b'"slow"' in text for text in texts)
    assert not any(PASSWORD.encode() in text for text in texts)
