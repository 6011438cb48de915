"""The life of instances, snapshots and restores in the laboratory, with the data compared."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from support.laboratory import USER, TestLaboratory, until

pytestmark = pytest.mark.story

ROWS = "SELECT count(*), coalesce(sum(id), 0) FROM orders"


def filled(lab: TestLaboratory, name: str, **words: Any) -> dict[str, Any]:
    instance = lab.create(name, **words)
    with lab.connect(instance) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY)")
        connection.execute("INSERT INTO orders SELECT generate_series(1, 1000)")
    return instance


def rows(lab: TestLaboratory, instance: dict[str, Any]) -> Any:
    with lab.connect(instance) as connection:
        return connection.execute(ROWS).fetchone()


def test_a_snapshot_holds_what_was_committed_and_is_restored_into_a_new_instance(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    source = filled(laboratory, "snap-source")
    created = rds.create_db_snapshot(DBSnapshotIdentifier="Before-1", DBInstanceIdentifier="snap-source")["DBSnapshot"]
    with laboratory.connect(source) as connection:
        connection.execute("DELETE FROM orders WHERE id > 10")
    assert (created["DBSnapshotIdentifier"], created["Status"], created["PercentProgress"]) == (
        "before-1",
        "creating",
        0,
    )
    assert "SnapshotCreateTime" not in created and "OriginalSnapshotCreateTime" not in created
    done = laboratory.snapshot("before-1", "available")
    assert (done["PercentProgress"], done["SnapshotType"]) == (100, "manual")
    assert done["SnapshotCreateTime"] == done["OriginalSnapshotCreateTime"]
    assert datetime.now(UTC) - done["SnapshotCreateTime"] < timedelta(minutes=1)
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="before-1", DBInstanceIdentifier="snap-copy")
    copy = laboratory.instance("snap-copy", "available")
    assert rows(laboratory, copy) in [(1000, 500500), (10, 55)]  # the delete may have come before the copy began
    assert rows(laboratory, source) == (10, 55)
    assert copy["DbiResourceId"] != source["DbiResourceId"]
    assert copy["Endpoint"] != source["Endpoint"]


def test_a_moment_before_the_accident_is_restored_and_takes_the_place_of_the_live_one(
    laboratory: TestLaboratory,
) -> None:
    rds = laboratory.client("rds")
    source = filled(laboratory, "pitr-source", BackupRetentionPeriod=7)
    time.sleep(0.3)
    good = datetime.now(UTC)
    time.sleep(0.3)
    with laboratory.connect(source) as connection:
        connection.execute("DELETE FROM orders")
    until(lambda: laboratory.instance("pitr-source")["LatestRestorableTime"] > good, "the archive")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="pitr-source", TargetDBInstanceIdentifier="pitr-copy", RestoreTime=good
    )
    copy = laboratory.instance("pitr-copy", "available")
    assert (rows(laboratory, copy), rows(laboratory, source)) == ((1000, 500500), (0, 0))

    rds.modify_db_instance(
        DBInstanceIdentifier="pitr-source", NewDBInstanceIdentifier="pitr-old", ApplyImmediately=True
    )
    laboratory.instance("pitr-old", "available")
    rds.modify_db_instance(
        DBInstanceIdentifier="pitr-copy", NewDBInstanceIdentifier="pitr-source", ApplyImmediately=True
    )
    swapped = laboratory.instance("pitr-source", "available")
    assert swapped["Endpoint"] == source["Endpoint"]
    assert rows(laboratory, source) == (1000, 500500)
    assert swapped["DbiResourceId"] == copy["DbiResourceId"]


def test_the_newest_moment_of_an_idle_instance_is_restored(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    filled(laboratory, "idle-source")
    before = laboratory.instance("idle-source")["LatestRestorableTime"]
    until(lambda: laboratory.instance("idle-source")["LatestRestorableTime"] > before + timedelta(seconds=1), "time")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="idle-source", TargetDBInstanceIdentifier="idle-copy", UseLatestRestorableTime=True
    )
    assert rows(laboratory, laboratory.instance("idle-copy", "available")) == (1000, 500500)


def test_stop_start_reboot_and_delete_with_a_final_snapshot(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    instance = filled(laboratory, "life", BackupRetentionPeriod=0)
    rds.stop_db_instance(DBInstanceIdentifier="life")
    laboratory.instance("life", "stopped")
    with pytest.raises(psycopg.OperationalError), laboratory.connect(instance):
        pass
    rds.start_db_instance(DBInstanceIdentifier="life")
    laboratory.instance("life", "available")
    rds.reboot_db_instance(DBInstanceIdentifier="life")
    laboratory.instance("life", "rebooting")
    laboratory.instance("life", "available")
    assert rows(laboratory, instance) == (1000, 500500)
    rds.delete_db_instance(DBInstanceIdentifier="life", FinalDBSnapshotIdentifier="life-final")
    laboratory.gone("life")
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier="life-final", DBInstanceIdentifier="life-again")
    assert rows(laboratory, laboratory.instance("life-again", "available")) == (1000, 500500)
    assert laboratory.events("life") == [
        "DB instance created", "DB instance stopped", "DB instance started", "DB instance restarted", "DB instance deleted",
    ]  # fmt: skip


def test_the_master_user_is_no_superuser_and_its_password_can_be_changed(laboratory: TestLaboratory) -> None:
    instance = laboratory.create("master", BackupRetentionPeriod=0)
    with laboratory.connect(instance) as connection:
        is_super, is_in = connection.execute(
            "SELECT rolsuper, pg_has_role(current_user, 'rds_superuser', 'member') FROM pg_roles WHERE rolname = %s",
            [USER],
        ).fetchone()
        assert (is_super, is_in) == (False, True)
    with pytest.raises(psycopg.OperationalError, match="pg_hba.conf rejects"), laboratory.connect(instance, "rdsadmin"):
        pass
    laboratory.client("rds").modify_db_instance(DBInstanceIdentifier="master", MasterUserPassword="another-secret")
    laboratory.instance("master", "available")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"), laboratory.connect(instance):
        pass
    with laboratory.connect(instance, password="another-secret") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_server_is_of_the_version_asked_for_or_it_is_said_that_it_is_not(laboratory: TestLaboratory) -> None:
    majors = laboratory.faults.status()["servers"]
    for asked, major in ((f"{majors[-1]}.1", majors[-1]), ("10.4", majors[0])):
        instance = laboratory.create(f"version-{asked.partition('.')[0]}", EngineVersion=asked, BackupRetentionPeriod=0)
        with laboratory.connect(instance) as connection:
            number = connection.info.server_version
        assert number // 10000 == major
        assert instance["EngineVersion"].partition(".")[0] == str(major)
    assert laboratory.events("version-10") == [
        f"PostgreSQL 10.4 is not on this machine: the instance runs {instance['EngineVersion']}.",
        "DB instance created",
    ]


def test_the_daily_backup_is_made_when_it_is_asked_for_and_moves_what_can_be_restored(
    laboratory: TestLaboratory,
) -> None:
    laboratory.create("daily", BackupRetentionPeriod=2)
    rds = laboratory.client("rds")
    laboratory.faults.back_up("daily")
    laboratory.instance("daily", "backing-up")
    laboratory.instance("daily", "available")
    found = rds.describe_db_snapshots(DBInstanceIdentifier="daily", SnapshotType="automated")["DBSnapshots"]
    assert len(found) == 2
    assert all(one["DBSnapshotIdentifier"].startswith("rds:daily-") for one in found)
    before = laboratory.instance("daily")["LatestRestorableTime"]
    assert datetime.fromisoformat(laboratory.faults.archive("daily")) > before


def test_a_restored_instance_is_restored_again_to_a_moment_of_its_own(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    filled(laboratory, "chain-1")
    for source, target, statement in (
        ("chain-1", "chain-2", "DELETE FROM orders WHERE id > 500"),
        ("chain-2", "chain-3", "DELETE FROM orders WHERE id > 100"),
    ):
        laboratory.faults.archive(source)
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=source, TargetDBInstanceIdentifier=target, UseLatestRestorableTime=True
        )
        with laboratory.connect(laboratory.instance(target, "available")) as connection:
            connection.execute(statement)
    counts = [rows(laboratory, laboratory.instance(f"chain-{n}"))[0] for n in (1, 2, 3)]
    assert counts == [1000, 500, 100]


def test_a_stop_takes_a_snapshot_on_its_way(laboratory: TestLaboratory) -> None:
    rds = laboratory.client("rds")
    filled(laboratory, "stopping", BackupRetentionPeriod=0)
    rds.stop_db_instance(DBInstanceIdentifier="stopping", DBSnapshotIdentifier="while-stopping")
    laboratory.instance("stopping", "stopped")
    assert laboratory.snapshot("while-stopping")["Status"] == "available"
    with pytest.raises(rds.exceptions.InvalidDBInstanceStateFault):
        rds.create_db_snapshot(DBSnapshotIdentifier="of-stopped", DBInstanceIdentifier="stopping")


def test_of_many_who_ask_at_once_one_gets_the_name(laboratory: TestLaboratory) -> None:
    laboratory.create("asked", BackupRetentionPeriod=0)
    rds = laboratory.client("rds")

    def ask(number: int) -> str:
        try:
            rds.create_db_snapshot(DBSnapshotIdentifier=f"asked-{number % 3}", DBInstanceIdentifier="asked")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "created"

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(24)))
    # One snapshot at a time: while it is being created, the instance is backing-up.
    assert set(answers) <= {"created", "DBSnapshotAlreadyExists", "InvalidDBInstanceState"}
    taken = rds.describe_db_snapshots(DBInstanceIdentifier="asked")["DBSnapshots"]
    assert 1 <= answers.count("created") == len(taken) <= 3
    for one in taken:
        laboratory.snapshot(one["DBSnapshotIdentifier"], "available")
