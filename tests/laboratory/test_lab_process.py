"""The laboratory as a program: started, ended, killed, going on; and used by AWS's own command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from handrail.laboratory.process import find
from support.children import Child
from support.laboratory import SPEED, TestLaboratory, handrail, lab_folder, running_laboratory, until

pytestmark = pytest.mark.story


@pytest.fixture
def folder() -> Iterator[Path]:
    with lab_folder() as found:
        yield found


def servers_in(folder: Path) -> list[int]:
    """Postmasters that run on what lies in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(words) > 2 and words[0].endswith(b"/postgres") and words[2].startswith(os.fsencode(folder)):
            found.append(int(process.name))
    return found


def test_a_killed_laboratory_leaves_no_server_and_goes_on_with_what_was_committed(folder: Path) -> None:
    with running_laboratory(folder) as lab:
        instance = lab.create("kept", BackupRetentionPeriod=1)
        lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="kept-1", DBInstanceIdentifier="kept")
        lab.snapshot("kept-1", "available")
        lab.instance("kept", "available")
        lab.faults.next_snapshot(hold_at=50)
        lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="half", DBInstanceIdentifier="kept")
        with lab.connect(instance) as connection:
            connection.execute("CREATE TABLE committed AS SELECT 1 AS id")
        time.sleep(0.3)
        running = find(folder)
        assert running is not None
        assert servers_in(folder)
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: not servers_in(folder), "the servers to end", 15)
        assert find(folder) is None
    with running_laboratory(folder) as again:
        instance = again.instance("kept", "available")
        with again.connect(instance) as connection:
            assert connection.execute("SELECT id FROM committed").fetchall() == [(1,)]
        assert again.snapshot("half")["Status"] == "failed"
        again.client("rds").restore_db_instance_from_db_snapshot(
            DBSnapshotIdentifier="kept-1", DBInstanceIdentifier="from-kept"
        )
        again.instance("from-kept", "available")
        stopped = handrail("lab", "stop", "--folder", str(folder))
        assert (stopped.returncode, stopped.stdout) == (0, f"{again.endpoint}: ended\n")
        assert servers_in(folder) == []


def test_an_endpoint_moves_when_another_program_has_taken_its_port(folder: Path) -> None:
    with running_laboratory(folder) as lab:
        port = lab.create("moved", BackupRetentionPeriod=0)["Endpoint"]["Port"]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with running_laboratory(folder) as again:
            moved = again.instance("moved", "available")
            assert moved["Endpoint"]["Port"] != port
            text = f"Port {port} was taken meanwhile: the endpoint is at {moved['Endpoint']['Port']} now."
            assert again.events("moved")[-1] == text
            with again.connect(moved) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_dies_is_started_again(laboratory: TestLaboratory) -> None:
    instance = laboratory.create("mortal", BackupRetentionPeriod=0)
    with laboratory.connect(instance) as connection:
        connection.execute("CREATE TABLE before AS SELECT 1 AS id")
    (server,) = (pid for pid in servers_in(laboratory.folder) if str(instance["Endpoint"]["Port"]) in words_of(pid))
    os.kill(server, signal.SIGKILL)

    def rows() -> object:
        try:
            with laboratory.connect(instance) as connection:
                return connection.execute("SELECT id FROM before").fetchall()
        except psycopg.OperationalError:
            return None

    assert until(rows, "the server to be back") == [(1,)]
    assert laboratory.events("mortal")[-1] == "Recovery of the DB instance has started"


def words_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def test_ctrl_c_ends_everything(folder: Path) -> None:
    words = ["lab", "start", "--port", "0", "--speed", str(SPEED), "--folder", str(folder)]
    process = Child(
        [sys.executable, "-m", "handrail.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    found = until(lambda: find(folder), "the laboratory")
    TestLaboratory(folder, found.endpoint).create("short", BackupRetentionPeriod=0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [
        f"{found.endpoint}: the laboratory answers; its state is in {folder}",
        'next: eval "$(handrail lab env)"',
        "ended; its instances and snapshots are kept",
    ]
    assert (servers_in(folder), find(folder)) == ([], None)


def test_a_second_one_and_a_port_that_is_taken_are_refused(laboratory: TestLaboratory, folder: Path) -> None:
    second = handrail("lab", "start", "--folder", str(laboratory.folder), "--port", "0")
    running = find(laboratory.folder)
    assert running is not None
    assert (second.returncode, second.stderr.splitlines()) == (
        2,
        [
            f"HR254 a laboratory runs in {laboratory.folder} already",
            f"  why: its process is {running.pid}, it answers at {running.endpoint}",
            "  next: handrail lab stop, or another --folder",
        ],
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = handrail("lab", "start", "--folder", str(folder), "--port", str(port))
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-3:][0] == f"HR255 port {port} of 127.0.0.1 is taken"


def test_without_a_laboratory_the_commands_say_how_to_start_one(folder: Path) -> None:
    for words in (["status"], ["stop"], ["env"], ["log"], ["fault", "--clear"], ["backup", "a"]):
        done = handrail("lab", *words, "--folder", str(folder))
        assert (done.returncode, done.stdout, done.stderr.splitlines()) == (
            2,
            "",
            [f"HR253 no laboratory runs in {folder}", "  next: handrail lab start --detach"],
        )


def test_aws_own_command_line(laboratory: TestLaboratory) -> None:
    listed = [f"cli-{number:02}" for number in range(60)]
    laboratory.faults.seed(
        instances=[{"identifier": "cli"}], snapshots=[{"identifier": name, "instance": "cli"} for name in listed]
    )
    found = laboratory.aws(
        "rds", "describe-db-snapshots", "--db-instance-identifier", "cli", "--page-size", "20",
        "--query", "DBSnapshots[].DBSnapshotIdentifier",
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == listed
    laboratory.faults.forget_seeds()

    access = ["--master-username", "app", "--master-user-password", "secret-of-nobody"]
    size = ["--db-instance-class", "db.t4g.micro", "--allocated-storage", "20", "--backup-retention-period", "0"]
    named = ["--db-instance-identifier", "by-cli"]
    created = laboratory.aws("rds", "create-db-instance", *named, "--engine", "postgres", *access, *size)
    assert created.returncode == 0, created.stderr
    assert laboratory.aws("rds", "wait", "db-instance-available", *named).returncode == 0
    taken = laboratory.aws("rds", "create-db-snapshot", *named, "--db-snapshot-identifier", "by-cli-1")
    assert json.loads(taken.stdout)["DBSnapshot"]["Status"] == "creating"
    laboratory.snapshot("by-cli-1", "available")
    again = laboratory.aws("rds", "create-db-snapshot", *named, "--db-snapshot-identifier", "by-cli-1")
    assert again.returncode in (254, 255)
    assert (
        "(DBSnapshotAlreadyExists) when calling the CreateDBSnapshot operation: Cannot create the snapshot"
        in again.stderr
    )
    assert laboratory.aws("s3", "mb", "s3://by-cli").returncode == 0
    assert json.loads(laboratory.aws("sts", "get-caller-identity").stdout)["Account"] == "123456789012"
