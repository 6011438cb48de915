"""Backups by snapshot, through the command line, on an instance of the laboratory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.laboratory import TestLaboratory
from support.rds_project import BOOKED, RdsProject, rds_project
from support.sheets import run_sheet

pytestmark = pytest.mark.story

ROWS = [(1, "파이썬 학습"), (2, "API 개발")]
SELECT = "SELECT id, topic FROM bookings ORDER BY id"


@pytest.fixture(scope="module")
def project(laboratory: TestLaboratory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RdsProject]:
    words = {"BackupRetentionPeriod": 0, "AllocatedStorage": 30, "MultiAZ": True}
    yield rds_project(laboratory, tmp_path_factory.mktemp("shop"), "backed-up", BOOKED, **words)


def listed(project: RdsProject) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(project.call("backup", "list", "--json").out)["result"]["backups"]
    return found


def test_a_snapshot_is_made_proven_restored_and_pruned(project: RdsProject) -> None:
    made = project.call("backup", "create", "--method", "snapshot")
    assert made.code == 0, made.err
    backup = max(listed(project), key=lambda one: str(one["id"]))
    own = {"Key": "handrail:run", "Value": backup["id"]}
    (snapshot,) = (one for one in project.snapshots if own in one["TagList"])
    tags = {one["Key"]: one["Value"] for one in snapshot["TagList"]}
    assert (tags["handrail:from"], tags["handrail:tier"]) == ("b2", "pre-migration")
    assert snapshot["DBSnapshotIdentifier"].startswith("before-migration-")
    assert snapshot["DBSnapshotIdentifier"].endswith("-b2")
    assert made.out.strip().endswith(f"{backup['id']}, proven to restore")
    assert project.temporary == []

    shown = project.call("backup", "show", str(backup["id"]))
    assert "holds      the whole database, as rds-snapshot" in shown.out
    assert project.call("backup", "verify", str(backup["id"])).code == 0

    refused = project.call("backup", "restore", str(backup["id"]), "--in-place", "--yes")
    assert refused.code == 2
    assert refused.error == (
        f"HR200 backup {backup['id']} cannot replace the database\n"
        "  why: it is a snapshot of the whole instance, which RDS restores as a new one only\n"
        "  next: restore it as a new instance: --into NAME; then: handrail rds switch --to NAME"
    )

    project.sql("DELETE FROM bookings")
    restored = project.call("backup", "restore", str(backup["id"]), "--into", "brought-back")
    assert restored.code == 0, restored.err
    assert project.sql(SELECT, "brought-back") == ROWS
    described = project.lab.instance("brought-back", "available")
    assert (described["MultiAZ"], described["AllocatedStorage"]) == (True, 30)
    project.sql("INSERT INTO bookings (id, topic) VALUES (1, '파이썬 학습'), (2, 'API 개발')")


def test_a_drill_restores_the_newest_snapshot(project: RdsProject) -> None:
    assert project.call("backup", "create", "--method", "snapshot", "--no-verify").code == 0
    drilled = project.call("drill")
    assert drilled.code == 0, drilled.err
    assert project.temporary == []


def test_prune_deletes_the_snapshot_with_the_backup(project: RdsProject) -> None:
    settings = project.folder / "handrail.toml"
    settings.write_text(f"{settings.read_text('utf-8')}\n[retention]\nlast = 1\n", "utf-8")
    for _ in range(2):
        assert project.call("backup", "create", "--method", "snapshot", "--no-verify").code == 0
    newest = max(str(one["id"]) for one in listed(project))
    pruned = project.call("backup", "prune", "--apply", "--yes")
    assert pruned.code == 0, pruned.err
    kept = [str(one["id"]) for one in listed(project)]
    assert newest in kept
    runs = {tag["Value"] for one in project.snapshots for tag in one["TagList"] if tag["Key"] == "handrail:run"}
    assert runs == set(kept)
    assert "and the snapshot before-migration-" in pruned.err + pruned.out
    project.configure()


def test_without_rds_the_snapshot_is_nobody_s(project: RdsProject, tmp_path: Path) -> None:
    assert project.call("backup", "create", "--method", "snapshot", "--no-verify").code == 0
    newest = max(str(one["id"]) for one in listed(project))
    configured = (project.folder / "handrail.toml").read_text("utf-8")
    (project.folder / "handrail.toml").write_text(
        'default = "prod"\n[environments.prod]\n[retention]\nlast = 1\n', "utf-8"
    )
    for words in (("backup", "verify", newest), ("backup", "create", "--method", "snapshot")):
        refused = project.call(*words)
        assert refused.code == 5
        assert refused.error == (
            "HR500 Its content is a snapshot that Amazon RDS keeps.\n"
            "  why: `rds` of the environment is not set, so nobody can be asked for it.\n"
            '  next: Say where it is: rds = {instance = "…", region = "…"}; https://github.com/puddingcamp/handrail/blob/main/docs/rds.md'
        )
    before = len(project.snapshots)
    assert project.call("backup", "prune", "--apply", "--yes").code == 0
    assert len(project.snapshots) == before
    (project.folder / "handrail.toml").write_text(configured, "utf-8")


def test_the_quota_is_looked_at_first(project: RdsProject) -> None:
    rds = project.lab.client("rds")
    quotas = {one["AccountQuotaName"]: one for one in rds.describe_account_attributes()["AccountQuotas"]}
    free = quotas["ManualSnapshots"]["Max"] - quotas["ManualSnapshots"]["Used"]
    names = [f"filling-{number}" for number in range(free)]
    project.lab.faults.seed(
        snapshots=[{"identifier": name, "instance": "elsewhere", "kind": "manual"} for name in names]
    )
    refused = project.call("backup", "create", "--method", "snapshot")
    for name in names:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    assert refused.code == 5
    assert refused.error == (
        "HR585 no snapshot can be taken\n"
        f"  why: 100 of 100 manual snapshots of {project.lab.environ['AWS_REGION']} are taken\n"
        "  next: handrail rds list shows them; handrail backup prune deletes by policy"
    )


def test_another_instance_than_the_url_s(project: RdsProject) -> None:
    project.lab.create("somebody-else")
    text = (project.folder / "handrail.toml").read_text("utf-8")
    (project.folder / "handrail.toml").write_text(text.replace('"backed-up"', '"somebody-else"'), "utf-8")
    refused = project.call("backup", "create", "--method", "snapshot")
    (project.folder / "handrail.toml").write_text(text, "utf-8")
    assert refused.code == 5
    assert "is not in the instance somebody-else." in refused.error
    assert "next: Correct `rds.instance` or the URL: the snapshot would be of another database." in refused.error


def test_a_snapshot_that_fails_leaves_nothing(project: RdsProject) -> None:
    before = {one["DBSnapshotIdentifier"] for one in project.snapshots}
    project.lab.faults.next_snapshot(fail_at=30)
    failed = project.call("backup", "create", "--method", "snapshot")
    assert failed.code == 5
    assert "will not become available\n  why: its state is failed" in failed.error
    assert {one["DBSnapshotIdentifier"] for one in project.snapshots} - before == set()


def test_a_stopped_instance(project: RdsProject) -> None:
    project.lab.faults.change_instance("backed-up", status="stopped")
    refused = project.call("backup", "create", "--method", "snapshot")
    project.lab.faults.change_instance("backed-up", status="available")
    assert refused.error == (
        "HR586 no snapshot of the instance backed-up can be taken\n"
        "  why: it is stopped\n"
        "  next: aws rds start-db-instance --db-instance-identifier backed-up"
    )


def test_the_sheet_restores_it_with_aws_s_own_program(project: RdsProject, tmp_path: Path) -> None:
    assert project.call("backup", "create", "--method", "snapshot", "--no-verify").code == 0
    newest = max(str(one["id"]) for one in listed(project))
    folder = project.folder / ".handrail" / "store" / "prod" / newest
    aws = tmp_path / "programs"
    aws.mkdir()
    program = Path(sys.executable).parent / "aws"  # this version does not look at AWS_ENDPOINT_URL
    (aws / "aws").write_text(f'#!/bin/sh\nexec {program} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n')
    (aws / "aws").chmod(0o755)
    variables = {**project.lab.environ, "TARGET": "by-hand", "AWS_PAGER": ""}
    status, said = run_sheet(folder, tmp_path / "work", more=aws, **variables)
    assert status == 0, said
    described = project.lab.instance("by-hand", "available")
    assert project.sql(SELECT, "by-hand") == project.sql(SELECT)
    assert described["MultiAZ"] is True
    assert "compare it with the numbers in RECOVERY.txt" in said


def test_doctor_judges_the_instance(project: RdsProject) -> None:
    said = project.call("doctor")
    lines = {line[6:22].strip(): line for line in said.out.splitlines() if "RDS" in line}
    assert said.code != 0  # automated backups are off
    where = project.region
    assert lines["RDS instance"].startswith(f"ok    RDS instance     backed-up in {where}, postgres ")
    assert lines["RDS address"].startswith("ok    RDS address      the URL leads to 127.0.0.1:")
    assert lines["RDS backups"] == "FAIL  RDS backups      automated backups are off: no moment can be restored"
    assert lines["RDS snapshots"].startswith("ok    RDS snapshots    ")
    assert lines["RDS rights"] == (
        "note  RDS rights       IAM does not tell which actions are allowed (iam:SimulatePrincipalPolicy)"
    )
