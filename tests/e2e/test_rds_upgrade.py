"""The guarded upgrade on an instance of the laboratory: a snapshot first, and the ways back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.children import Child
from support.laboratory import TestLaboratory, until
from support.projects import Script, write_script
from support.rds_project import BOOKED, RdsProject, rds_project

pytestmark = pytest.mark.story

GOOD = Script(
    "c3",
    "b2",
    'op.add_column("bookings", sa.Column("note", sa.Text))',
    'op.drop_column("bookings", "note")',
    doc="add note",
)
#: What cannot be taken back.
ONE_WAY = Script("c3", "b2", 'op.add_column("bookings", sa.Column("note", sa.Text))', doc="add note")
SELECT = "SELECT id, topic FROM bookings ORDER BY id"
ROWS = [(1, "파이썬 학습"), (2, "API 개발")]
ON_INSTANCE = 'rehearse_on = "instance"\nrehearse_class = "db.t4g.small"'
UNWELL = 'health = {command = "false"}\nrestore = "auto"'


@pytest.fixture
def project(laboratory: TestLaboratory, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RdsProject]:
    name = f"up-{abs(hash(request.node.name)) % 10**6}"
    made = rds_project(laboratory, tmp_path, name, BOOKED, BackupRetentionPeriod=0)
    yield made
    laboratory.faults.clear()
    laboratory.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_snapshot_comes_first_and_a_dump_is_rehearsed_on(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    planned = json.loads(project.call("plan", "--json").out)["result"]
    kinds = [step["kind"] for step in planned["steps"]]
    assert kinds == ["lint", "lock", "snapshot", "backup", "verify", "rehearse", "apply", "prove"]
    done = project.call("upgrade", "--yes")
    assert done.code == 0, done.err
    (snapshot,) = project.snapshots
    tags = {one["Key"]: one["Value"] for one in snapshot["TagList"]}
    assert (tags["handrail:from"], tags["handrail:to"], tags["handrail:tier"]) == ("b2", "c3", "pre-migration")
    assert "handrail:expires" not in tags
    assert project.sql("SELECT version_num FROM alembic_version") == [("c3",)]
    listed = json.loads(project.call("backup", "list", "--json").out)["result"]["backups"]
    assert sorted(str(one["id"]).partition("-")[2] for one in listed) == ["", "snapshot"]


def test_it_is_rehearsed_on_a_temporary_instance(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.configure(ON_INSTANCE)
    done = project.call("upgrade", "--yes")
    assert done.code == 0, done.err
    assert project.temporary == []
    assert project.sql("SELECT version_num FROM alembic_version") == [("c3",)]
    restored = [one for one in project.lab.faults.calls() if one["action"].startswith("RestoreDBInstance")]
    asked = restored[-1]["parameters"]
    assert (asked["DBInstanceClass"], asked["MultiAZ"], asked["BackupRetentionPeriod"]) == (
        "db.t4g.small",
        "false",
        "0",
    )


def test_a_proven_downgrade_brings_it_back(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.configure(ON_INSTANCE, UNWELL)
    failed = project.call("upgrade", "--yes")
    assert failed.code == 7, failed.err
    assert "the downgrade that the rehearsal had proven was run; no write was lost" in failed.error
    assert project.sql(SELECT) == ROWS
    assert project.temporary == []


def test_only_a_snapshot_is_restored_as_a_new_instance(project: RdsProject) -> None:
    write_script(project.folder, ONE_WAY)
    project.configure(ON_INSTANCE, UNWELL)
    failed = project.call("upgrade", "--yes")
    assert failed.code == 8, failed.err
    made = [
        one["DBInstanceIdentifier"]
        for one in project.lab.client("rds").describe_db_instances()["DBInstances"]
        if one["DBInstanceIdentifier"].startswith(f"{project.name}-before-")
    ]
    (new,) = made
    assert failed.error == (
        "HR802 the application is not well after the upgrade\n"
        "  why: `false` exited 1; the live database is NOT brought back, because the rehearsal could not prove the downgrade,"
        " and this run has no dump, and RDS restores a snapshot as a new instance only; the new instance"
        f" {new} holds what was there before, without what was written since\n"
        f"  next: look at the instance {new} (at b2), stop the application, then: handrail rds switch --to {new}"
        f" ({project.name} is kept under another name); after that: handrail recover --keep"
        " (the next upgrade is blocked until then)"
    )
    assert project.sql("SELECT version_num FROM alembic_version") == [("c3",)]
    assert project.sql("SELECT version_num FROM alembic_version", new) == [("b2",)]
    assert project.sql(SELECT, new) == ROWS
    assert project.call("upgrade", "--yes").code in (0, 11)
    assert project.call("recover", "--keep").code == 0


def test_a_dump_of_the_run_is_restored_in_place(project: RdsProject) -> None:
    write_script(project.folder, ONE_WAY)
    project.configure("", UNWELL)
    failed = project.call("upgrade", "--yes")
    assert failed.code == 7, failed.err
    assert project.sql("SELECT version_num FROM alembic_version") == [("b2",)]
    assert project.sql(SELECT) == ROWS


def test_killed_while_the_snapshot_is_made(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.lab.faults.next_snapshot(hold_at=40)
    process = Child(
        [sys.executable, "-m", "handrail.cli.main", "upgrade", "--yes"],
        cwd=project.folder,
        env={**project.lab.environ, "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: project.snapshots, "the snapshot")
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    project.lab.faults.clear()
    name = project.snapshots[0]["DBSnapshotIdentifier"]
    project.lab.faults.change_snapshot(name, hold_at=None)
    project.lab.snapshot(name, "available")
    recovered = project.call("recover")
    assert recovered.code == 0, recovered.err
    assert f"snapshot {name}" in recovered.err
    assert project.call("upgrade", "--yes").code == 0
    assert name not in [one["DBSnapshotIdentifier"] for one in project.snapshots if one["Status"] == "available"]


def test_nothing_begins_without_the_right_to_take_one(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.configure(settings='backup = "required"')
    project.lab.faults.deny("CreateDBSnapshot")
    refused = project.call("upgrade", "--yes")
    assert refused.code == 5
    assert refused.error.startswith("HR582 the right rds:CreateDBSnapshot is missing, to take the snapshot ")
    assert project.sql("SELECT version_num FROM alembic_version") == [("b2",)]


def test_aurora_is_refused(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.configure(settings='backup = "required"')
    project.lab.faults.change_instance(project.name, settings={"DBClusterIdentifier": "aurora-1"})
    refused = project.call("upgrade", "--yes")
    assert refused.code == 5
    assert refused.error.startswith(
        f"HR590 the instance {project.name} is of the cluster aurora-1, which handrail does not handle\n"
    )
    project.lab.faults.change_instance(project.name, settings={"DBClusterIdentifier": None})


def test_where_a_backup_is_optional_it_goes_on_with_a_warning(project: RdsProject) -> None:
    write_script(project.folder, GOOD)
    project.configure(settings='backup = "optional"')
    project.lab.faults.deny("CreateDBSnapshot")
    done = project.call("upgrade", "--yes")
    assert done.code == 0, done.err
    assert "the right rds:CreateDBSnapshot is missing, to take the snapshot " in done.err
    assert "going on: snapshot is optional here" in done.err
