"""The laboratory's commands: what they print for people, and for machines by the published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from jsonschema import Draft202012Validator

from support.laboratory import TestLaboratory, handrail, lab_folder

pytestmark = pytest.mark.story

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"


@pytest.fixture
def lab(laboratory: TestLaboratory) -> Iterator[TestLaboratory]:
    laboratory.faults.forget_calls()
    yield laboratory
    laboratory.faults.clear()


def lines(lab: TestLaboratory, *words: str, code: int = 0) -> list[str]:
    done = handrail("lab", *words, HANDRAIL_LAB=str(lab.folder))
    assert done.returncode == code, done.stderr
    return (done.stderr if code else done.stdout).splitlines()


def document(*words: str, folder: Path) -> Any:
    done = handrail("lab", *words, "--json", HANDRAIL_LAB=str(folder))
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    command = f"lab {words[0]}"
    schema = json.loads((SCHEMAS / f"{command.replace(' ', '-')}.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(read)
    assert (read["version"], read["command"], "error" in read) == (1, command, False)
    return read["result"]


def test_the_environment_is_printed_for_a_shell(lab: TestLaboratory) -> None:
    assert lines(lab, "env") == [
        f"export AWS_ENDPOINT_URL={lab.endpoint}",
        "export AWS_ACCESS_KEY_ID=AKIALABORATORY",
        "export AWS_SECRET_ACCESS_KEY=laboratory",
        "export AWS_REGION=eu-central-1",
        "export AWS_DEFAULT_REGION=eu-central-1",
        "export AWS_EC2_METADATA_DISABLED=true",
    ]


def test_faults_are_set_told_met_logged_and_taken_back(lab: TestLaboratory) -> None:
    assert lines(lab, "fault", "CreateDBSnapshot", "Throttling", "--times", "3") == [
        "rds:CreateDBSnapshot Throttling, 3 times"
    ]
    assert lines(lab, "fault", "*", "--drop", "after", "-n", "0") == ["rds:* drop-after, until it is cleared"]
    assert [line for line in lines(lab, "status") if line.startswith("fault: ")] == [
        "fault: rds:CreateDBSnapshot Throttling, 3 more", "fault: rds:* drop-after, until it is cleared",
    ]  # fmt: skip
    with pytest.raises(ClientError, match="Throttling"):
        lab.client("rds").create_db_snapshot(DBSnapshotIdentifier="a", DBInstanceIdentifier="b")
    (logged,) = lines(lab, "log", "--clear")
    time, _, rest = logged.partition(" ")
    assert time.endswith("+00:00")
    assert rest == "rds:CreateDBSnapshot DBSnapshotIdentifier=a DBInstanceIdentifier=b Throttling"
    assert lines(lab, "fault", "--clear") == ["no faults"]
    assert (lines(lab, "log"), lab.faults.status()["faults"]) == ([], [])


def test_a_fault_needs_an_action_and_one_thing_to_happen(lab: TestLaboratory) -> None:
    for words in ((), ("CreateDBSnapshot",), ("CreateDBSnapshot", "Throttling", "--drop", "after")):
        assert lines(lab, "fault", *words, code=2) == [
            "HR200 which action, and what is to happen to it?",
            "  next: handrail lab fault CreateDBSnapshot Throttling --times 3, or --drop after, or --clear",
        ]


def test_snapshots_and_instances_are_made_to_look_as_wanted(lab: TestLaboratory) -> None:
    lab.faults.seed(instances=[{"identifier": "looks"}], snapshots=[{"identifier": "looks-1", "instance": "looks"}])
    assert lines(lab, "instance", "looks", "storage-full") == ["looks is storage-full"]
    assert lines(lab, "snapshot", "looks-1", "--no-time") == ["set for looks-1"]
    assert lines(lab, "snapshot", "--hold", "40") == ["set for the next snapshot"]
    assert lab.instance("looks")["DBInstanceStatus"] == "storage-full"
    assert "SnapshotCreateTime" not in lab.snapshot("looks-1")
    assert lines(lab, "instance", "nothing", "available", code=2) == [
        "HR252 DBInstance nothing not found.", "  next: https://github.com/puddingcamp/handrail/blob/main/docs/lab.md lists what there is",
    ]  # fmt: skip
    assert lines(lab, "backup", "looks", code=2)[0] == (
        "HR252 Instance looks is not in available state: storage-full."
    )  # fmt: skip
    lab.faults.forget_seeds()


def test_every_command_prints_the_document_of_its_schema() -> None:
    with lab_folder() as folder:
        started = document("start", "--detach", "--port", "0", "--speed", "20", folder=folder)
        lab = TestLaboratory(folder, started["endpoint"])
        try:
            assert started["kept"] == str(folder)
            lab.create("documents")
            assert document("backup", "documents", folder=folder) == {"set": "documents is backing-up"}
            lab.instance("documents", "available")
            assert document("fault", "Describe*", "Throttling", "--times", "0", folder=folder) == {
                "set": "rds:Describe* Throttling, until it is cleared"
            }
            told = document("status", folder=folder)
            assert [one["identifier"] for one in told["instances"]] == ["documents"]
            assert [one["action"] for one in told["faults"]] == ["Describe*"]
            assert told["snapshots"] == {"eu-central-1": 2}
            assert document("log", folder=folder)["calls"][0]["parameters"]["MasterUserPassword"] == "***"
            assert document("env", folder=folder)["variables"]["AWS_ENDPOINT_URL"] == lab.endpoint
            assert document("snapshot", "--fail", "10", folder=folder) == {"set": "set for the next snapshot"}
            assert document("instance", "documents", "maintenance", folder=folder) == {
                "set": "documents is maintenance"
            }
        finally:
            ended = document("stop", folder=folder)
        assert ended == started
