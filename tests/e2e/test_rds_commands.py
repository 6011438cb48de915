"""The commands about RDS on the laboratory: what they show, what they refuse, and in which words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handrail.snapshots.moments import written
from support.laboratory import TestLaboratory, until
from support.projects import known_to_env_py
from support.rds_project import RdsProject, make_bucket, rds_project

pytestmark = pytest.mark.story

MANAGED = {"handrail:managed": "true", "handrail:run": "r1", "handrail:from": "a1", "handrail:to": "b2"}


def tags(**more: str) -> list[dict[str, str]]:
    values = {**MANAGED, **{f"handrail:{key}": value for key, value in more.items()}}
    return [{"Key": key, "Value": value} for key, value in values.items()]


@pytest.fixture(scope="module")
def project(laboratory: TestLaboratory, tmp_path_factory: pytest.TempPathFactory) -> RdsProject:
    return rds_project(laboratory, tmp_path_factory.mktemp("shop"), "shop-prod")


@pytest.fixture
def shop(project: RdsProject) -> RdsProject:
    """The test before may have left it modifying."""
    project.lab.instance(project.name, "available")
    return project


@pytest.fixture(autouse=True)
def no_faults(laboratory: TestLaboratory) -> Iterator[None]:
    yield
    laboratory.faults.clear()


def snapshot(shop: RdsProject, name: str, **more: str) -> dict[str, Any]:
    shop.lab.client("rds").create_db_snapshot(
        DBSnapshotIdentifier=name, DBInstanceIdentifier="shop-prod", Tags=tags(**more)
    )
    return shop.lab.snapshot(name, "available")


def test_a_snapshot_that_nobody_waited_for_is_no_leftover(shop: RdsProject) -> None:
    """Without a manifest it is not in the catalog, and still no prune of the store's may take it."""
    taken = json.loads(shop.call("rds", "snapshot", "--no-wait", "--name", "asked-for", "--json").out)["result"]
    assert (taken["id"], taken["backup"]) == ("asked-for", None)
    assert shop.call("rds", "wait", "asked-for").code == 0
    pruned = shop.call("backup", "prune", "--apply", "--yes", "--json")
    assert pruned.code == 0, pruned.err
    assert shop.lab.snapshot("asked-for")["Status"] == "available"


def test_snapshots_are_listed_with_what_their_tags_say(shop: RdsProject) -> None:
    made = snapshot(shop, "before-migration-1", tier="monthly", pinned="true")
    listed = shop.call("rds", "list", "--json")
    assert listed.code == 0, listed.err
    found = json.loads(listed.out)["result"]
    one = next(one for one in found["snapshots"] if one["id"] == "before-migration-1")
    assert one == {
        "id": "before-migration-1",
        "arn": made["DBSnapshotArn"],
        "instance": "shop-prod",
        "kind": "manual",
        "status": "available",
        "percent": 100,
        "created_at": one["created_at"],
        "size_gb": 20,
        "full_size": made["FullSnapshotSizeInBytes"],
        "tier": "monthly",
        "run": "r1",
        "revisions": ["a1"],
        "target": ["b2"],
        "expires": None,
        "is_pinned": True,
        "backup": None,
    }
    assert (found["region"], found["instance"], found["quota"]["limit"]) == (shop.region, "shop-prod", 100)


def test_250_snapshots_are_listed_and_no_other_instance_s(shop: RdsProject) -> None:
    seeds = [{"identifier": f"weekly-{n:03}", "instance": "crowd", "kind": "manual", "size": 20} for n in range(250)]
    shop.lab.faults.seed(snapshots=seeds)
    every = json.loads(shop.call("rds", "list", "--all", "--json").out)["result"]["snapshots"]
    assert sum(one["instance"] == "crowd" for one in every) == 250
    assert {one["tier"] for one in every if one["instance"] == "crowd"} == {"weekly"}
    own = json.loads(shop.call("rds", "list", "--json").out)["result"]["snapshots"]
    assert {one["instance"] for one in own} == {"shop-prod"}
    for one in seeds:
        shop.lab.client("rds").delete_db_snapshot(DBSnapshotIdentifier=one["identifier"])


def test_a_snapshot_is_waited_for_to_its_end(shop: RdsProject) -> None:
    shop.lab.faults.next_snapshot(fail_at=40)
    shop.lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="shop-failing", DBInstanceIdentifier="shop-prod")
    failed = shop.call("rds", "wait", "shop-failing")
    assert (failed.code, failed.error) == (
        5,
        "HR588 snapshot shop-failing will not become available\n"
        "  why: its state is failed\n"
        "  next: AWS says why in its events: aws rds describe-events --source-identifier shop-failing --source-type"
        " db-snapshot --duration 1440",
    )
    shop.lab.faults.next_snapshot(hold_at=30)
    shop.lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="shop-held", DBInstanceIdentifier="shop-prod")
    late = shop.call("rds", "wait", "shop-held", "--deadline", "3s")
    assert (late.code, late.error) == (
        5,
        "HR589 snapshot shop-held is not there after 3 s\n"
        "  why: the last that was heard of it: creating, 30 %\n"
        "  next: it goes on by itself: handrail rds wait shop-held; `rds.deadline` of the environment allows more time",
    )
    shop.lab.faults.change_snapshot("shop-held", hold_at=None)
    assert shop.call("rds", "wait", "shop-held").code == 0
    instance = json.loads(shop.call("rds", "wait", "shop-prod", "--json").out)["result"]
    assert (instance["kind"], instance["status"]) == ("instance", "available")


def test_a_snapshot_is_a_backup_whose_settings_come_back(shop: RdsProject) -> None:
    made = shop.call("rds", "snapshot", "--tier", "monthly", "--expires", "90d", "--name", "monthly-1", "--json")
    assert made.code == 0, made.err
    found = json.loads(made.out)["result"]
    assert (found["id"], found["tier"], found["revisions"], found["status"]) == (
        "monthly-1",
        "monthly",
        ["b2"],
        "available",
    )
    assert found["backup"] == found["run"]
    left = datetime.fromisoformat(found["expires"]) - datetime.now(UTC)
    assert timedelta(days=89) < left < timedelta(days=90)
    listed = json.loads(shop.call("rds", "list", "--json").out)["result"]["snapshots"]
    assert next(one for one in listed if one["id"] == "monthly-1") == found
    same = shop.call("rds", "settings", "--from", "monthly-1")
    assert (same.code, same.out) == (0, f"shop-prod has the settings of backup {found['backup']}\n")
    restored = shop.call("rds", "restore", "monthly-1", "--as", "from-monthly", "--json")
    assert restored.code == 0, restored.err
    done = json.loads(restored.out)["result"]
    assert (done["settings_of"], done["proof"]) == (
        f"backup {found['backup']}",
        f"equal to the source of backup {found['backup']} in every value that it has digests of",
    )
    taken = shop.call("rds", "snapshot", "--name", "monthly-1")
    assert (taken.code, taken.error.splitlines()[0]) == (
        5,
        "HR584 AWS did not take the snapshot monthly-1 of the instance shop-prod",
    )


def refused(shop: RdsProject, *words: str) -> tuple[int, str]:
    said = shop.call(*words)
    return said.code, said.error


def test_moments_that_cannot_be_had_are_refused_before_anything(shop: RdsProject) -> None:
    shop.lab.faults.forget_calls()
    window = shop.lab.client("rds").describe_db_instance_automated_backups(DBInstanceIdentifier="shop-prod")
    earliest = window["DBInstanceAutomatedBackups"][0]["RestoreWindow"]["EarliestTime"]
    early = datetime(2020, 1, 1, tzinfo=UTC)
    code, error = refused(shop, "rds", "pitr", "--to", early.isoformat())
    lines = error.splitlines()
    assert (code, lines[0]) == (2, "HR591 2020-01-01 00:00 UTC cannot be restored")
    assert lines[1].startswith(f"  why: RDS has {written(earliest)} to ")
    assert lines[2] == f'  next: the first moment there is: --to "{earliest.astimezone(UTC).isoformat()}"'
    future = datetime.now(UTC) + timedelta(days=1)
    code, error = refused(shop, "rds", "pitr", "--to", future.isoformat())
    assert (code, error.splitlines()[0]) == (2, f"HR591 {written(future)} is in the future")
    code, error = refused(shop, "rds", "pitr", "--to", "2026-02-18 15:25")
    assert (code, error.splitlines()[0]) == (2, "HR591 '2026-02-18 15:25' does not say of which time zone it is")
    code, error = refused(shop, "rds", "pitr", "--to", "newest", "--as", "shop-prod")
    assert (code, error) == (
        2,
        "HR200 --as shop-prod is the live instance\n"
        "  why: a restore makes a new instance, and never writes into one that is there\n"
        "  next: --as another name; then: handrail rds switch --to that name",
    )
    asked = {call["action"] for call in shop.lab.faults.calls()}
    assert not {name for name in asked if not name.startswith("Describe")}, asked


def test_an_instance_that_was_deleted_is_restored_by_its_resource_id(shop: RdsProject) -> None:
    lab = shop.lab
    gone = lab.create("deleted-one", BackupRetentionPeriod=7)
    with lab.connect(gone) as connection:
        connection.execute("CREATE TABLE kept (id int PRIMARY KEY)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 7)")
    lab.faults.archive("deleted-one")
    lab.client("rds").delete_db_instance(
        DBInstanceIdentifier="deleted-one", SkipFinalSnapshot=True, DeleteAutomatedBackups=False
    )
    lab.gone("deleted-one")
    words = ("rds", "pitr", "--to", "newest", "--as", "deleted-back", "--resource-id")
    done = shop.call(*words, gone["DbiResourceId"], "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["result"]
    assert {one["table"]: one["rows"] for one in found["tables"]} == {"kept": 7, "orders": None}
    code, error = refused(shop, *words, "db-NOBODY")
    assert (code, error.splitlines()[0]) == (
        5,
        f"HR583 AWS did not find the automated backups of the resource id db-NOBODY in {shop.region}",
    )


def test_a_snapshot_is_restored_with_the_settings_of_the_live_instance(shop: RdsProject) -> None:
    snapshot(shop, "to-restore")
    shop.lab.client("rds").modify_db_instance(
        DBInstanceIdentifier="shop-prod", DeletionProtection=True, ApplyImmediately=True
    )
    until(lambda: shop.lab.instance("shop-prod")["DeletionProtection"], "deletion protection")
    try:
        done = shop.call("rds", "restore", "to-restore", "--as", "restored-one")
        assert done.code == 0, done.err
    finally:
        shop.lab.client("rds").modify_db_instance(
            DBInstanceIdentifier="shop-prod", DeletionProtection=False, ApplyImmediately=True
        )
    assert done.out.splitlines()[1:6] == [
        "  settings of shop-prod as it is now, since none were saved with the snapshot",
        "  revision b2, the live database is at b2",
        "  no manifest tells of it, so it was counted and not proven",
        "  orders: 100 rows, live 100",
        "  schema: as the live one",
    ]
    made = shop.lab.instance("restored-one", "available")
    assert (made["DeletionProtection"], made["BackupRetentionPeriod"]) == (True, 7)
    code, error = refused(shop, "rds", "restore", "nobody", "--as", "other")
    assert (code, error.splitlines()[0]) == (5, f"HR583 AWS did not find the snapshot nobody in {shop.region}")
    snapshot(shop, "to-restore-2")
    code, error = refused(shop, "rds", "restore", "to-restore-2", "--as", "restored-one")
    assert (code, error.splitlines()[0]) == (
        5,
        "HR584 AWS did not restore the snapshot to-restore-2 as the instance restored-one",
    )


def test_automated_backups_are_shown_and_changed_after_a_yes(shop: RdsProject) -> None:
    shown = json.loads(shop.call("rds", "automated", "--json").out)["result"]
    assert (shown["instance"], shown["retention_days"], shown["changes"]) == ("shop-prod", 7, [])
    words = ("rds", "automated", "--retention", "14", "--window", "02:00-03:00")
    asked = shop.call(*words)
    assert (asked.code, asked.out, asked.error) == (
        10,
        f"shop-prod: retention 7 days -> 14 days\nshop-prod: window {shown['backup_window']} -> 02:00-03:00 UTC\n",
        "HR1000 not done: change the automated backups of shop-prod?\n"
        "  why: there is no terminal to ask\n"
        "  next: add --yes",
    )
    changed = shop.call(*words, "--yes")
    assert changed.code == 0, changed.err
    until(lambda: shop.lab.instance("shop-prod")["BackupRetentionPeriod"] == 14, "14 days")
    assert shop.lab.instance("shop-prod")["PreferredBackupWindow"] == "02:00-03:00"
    code, error = refused(shop, "rds", "automated", "--retention", "0", "--yes")
    assert (code, error) == (
        2,
        "HR592 shop-prod: retention 14 days -> 0 days (off) takes the instance away for a while\n"
        "  why: RDS restarts an instance when its automated backups are turned on or off; the automated backups that"
        " there are would be deleted\n"
        "  next: in a quiet hour: the same with --allow-outage",
    )
    shop.lab.client("rds").modify_db_instance(
        DBInstanceIdentifier="shop-prod", BackupRetentionPeriod=7, ApplyImmediately=True
    )
    until(lambda: shop.lab.instance("shop-prod")["BackupRetentionPeriod"] == 7, "7 days")


def test_an_export_is_not_restorable_and_a_skipped_table_is_an_error(shop: RdsProject) -> None:
    lab = shop.lab
    make_bucket(lab, "exports")
    role = lab.client("iam").create_role(RoleName="exporter", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    key = lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    shop.sql('CREATE TABLE odd (id int, "of which" int)')
    snapshot(shop, "to-export")
    shop.sql("DROP TABLE odd")
    place = ("--to", "s3://exports/shop", "--role", role, "--key", key)
    missing = refused(shop, "rds", "export", "to-export", "--to", "s3://exports/shop")
    assert missing == (
        2,
        "HR200 --role and --key are missing\n"
        "  why: AWS writes an export by a role that export.rds.amazonaws.com may take on, and encrypts it always\n"
        "  next: --to s3://bucket/prefix --role arn:aws:iam::ACCOUNT:role/NAME --key"
        " arn:aws:kms:REGION:ACCOUNT:key/ID",
    )
    never = refused(shop, "rds", "export", "to-export")
    assert never == (
        5,
        "HR583 the snapshot to-export was never exported\n"
        "  next: handrail rds export to-export --to s3://bucket/prefix --role ARN --key ARN",
    )
    started = shop.call("rds", "export", "to-export", *place, "--no-wait")
    assert started.code == 0, started.err
    assert started.out.splitlines()[0] == (
        "warning: an export is Parquet for analysis: no database can be restored from it; a restorable one is made by"
        " handrail backup archive"
    )
    done = shop.call("rds", "export", "to-export", *place, "--json")
    document = json.loads(done.out)
    assert done.code == 5
    assert document["error"]["message"] == f"the export {document['result']['export']['id']} is complete, and not whole"
    assert "shop.public.odd" in document["error"]["why"]
    assert document["result"]["is_whole"] is False
    only = ("--only", "shop.public.orders")
    whole = json.loads(
        shop.call("rds", "export", "to-export", *place[2:], "--to", "s3://exports/2", *only, "--json").out
    )
    assert whole["result"]["is_whole"] is True
    assert len(lab.client("rds").describe_export_tasks()["ExportTasks"]) == 2


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (("rds", "list"), "DescribeDBSnapshots"),
        (("rds", "automated", "--retention", "10", "--yes"), "ModifyDBInstance"),
        (("rds", "pitr", "--to", "newest", "--as", "denied"), "RestoreDBInstanceToPointInTime"),
    ],
)
def test_a_right_that_is_missing_is_named(shop: RdsProject, words: tuple[str, ...], action: str) -> None:
    shop.lab.faults.deny(action)
    code, error = refused(shop, *words)
    assert (code, error.splitlines()[0].partition(" is missing")[0]) == (5, f"HR582 the right rds:{action}")


def test_without_rds_in_the_configuration_the_commands_say_what_to_write(
    shop: RdsProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = shop.folder / "handrail.toml"
    before = file.read_text()
    file.write_text(before.partition("[environments.prod.rds]")[0])
    try:
        assert refused(shop, "rds", "list") == (
            2,
            "HR210 the environment prod does not say in which RDS instance its database runs\n"
            "  why: `rds` of the environment is not set\n"
            '  next: write [environments.prod.rds] in handrail.toml with instance = "shop-prod" and'
            ' region = "ap-northeast-2"',
        )
    finally:
        file.write_text(before)


def test_a_live_instance_that_cannot_be_reached_is_where_env_py_aimed(project: RdsProject) -> None:
    """Only env.py knows the URL: what RDS has is what is needed then."""
    folder = project.folder
    texts = {path: path.read_text() for path in (folder / "alembic.ini", next(folder.rglob("env.py")))}
    known_to_env_py(folder)
    env = next(folder.rglob("env.py"))
    env.write_text(re.sub(r"@[^/']+/", "@127.0.0.1:1/", env.read_text()))
    try:
        said = project.call("rds", "switch", "--to", "nobody", "--confirm", "shop-prod")
        assert said.out.startswith("warning: the live database cannot be reached: no connection to postgresql://")
        assert (said.code, said.error.splitlines()[0]) == (2, "HR593 there is no instance nobody")
    finally:
        for path, text in texts.items():
            path.write_text(text)
