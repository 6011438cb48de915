"""The clean-up function as AWS runs it: packed, unpacked, with nothing but boto3 beside it, against a laboratory (G5.5)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from handrail import lambda_handler
from handrail.databases.snapshots import RightMissing, SnapshotError
from handrail.errors import ConfigError
from handrail.lambda_package import LARGEST, package
from handrail.snapshots.snapshot import Label, Tier
from support.laboratory import TestLaboratory

pytestmark = pytest.mark.story


class _Context:
    def __init__(self, *millis: int) -> None:
        self.millis = list(millis)

    def get_remaining_time_in_millis(self) -> int:
        return self.millis.pop(0)


def _seeded(name: str, instance: str, days: int, tier: Tier | None = None, **given: Any) -> dict[str, Any]:
    created = datetime.now(UTC) - timedelta(days=days)
    tags = Label("20260101_1", tier=tier).tags() if tier else {}
    return {"identifier": name, "instance": instance, "created": created.isoformat(), "tags": tags, **given}


def _seed(laboratory: TestLaboratory, instance: str, *more: dict[str, Any]) -> None:
    laboratory.faults.seed(
        instances=[{"identifier": instance}],
        snapshots=[
            _seeded(f"{instance}-new", instance, 1, Tier.WEEKLY),
            _seeded(f"{instance}-old", instance, 40, Tier.WEEKLY),
            _seeded(f"{instance}-month", instance, 40, Tier.MONTHLY),
            _seeded(f"{instance}-hand", instance, 400),
            _seeded(f"rds:{instance}-2026", instance, 400, kind="automated"),
            *more,
        ],
    )


@pytest.fixture
def environment(laboratory: TestLaboratory, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in [name for name in os.environ if name.startswith(("AWS_", "HANDRAIL_"))]:
        monkeypatch.delenv(name)
    for name, value in laboratory.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HANDRAIL_APPLY", "true")
    return dict(laboratory.environ)


def _left(laboratory: TestLaboratory, instance: str) -> list[str]:
    pages = laboratory.client("rds", attempts=3).get_paginator("describe_db_snapshots")
    found = pages.paginate(DBInstanceIdentifier=instance)
    return sorted(one["DBSnapshotIdentifier"] for page in found for one in page["DBSnapshots"])


def test_it_looks_first_then_deletes_what_the_policy_names(
    laboratory: TestLaboratory,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _seed(laboratory, "lam-one")
    everything = _left(laboratory, "lam-one")
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-one")
    looked = lambda_handler.handler({"apply": False}, None)
    assert (looked["applied"], looked["done"], _left(laboratory, "lam-one")) == (False, 0, everything)
    assert [(one["action"], one["snapshot"], one["state"]) for one in looked["actions"]] == [
        ("delete", "lam-one-old", "planned")
    ]
    capsys.readouterr()
    done = lambda_handler.handler({}, _Context(900_000))
    assert _left(laboratory, "lam-one") == sorted(set(everything) - {"lam-one-old"})
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "action": "delete",
            "snapshot": "lam-one-old",
            "arn": done["actions"][0]["arn"],
            "reason": "not among the last 1; milestone weekly, over 30 days ago",
            "state": "done",
        },
        {"event": "cleaned", "applied": True, "done": 1, "failed": 0, "left": 0, "kept": 2, "outside": done["outside"]},
    ]
    again = lambda_handler.handler({}, _Context(900_000))
    assert (again["done"], again["actions"]) == (0, [])


def test_without_the_word_nothing_is_deleted_whatever_the_event_says(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _seed(laboratory, "lam-dry")
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-dry")
    monkeypatch.delenv("HANDRAIL_APPLY")
    before = _left(laboratory, "lam-dry")
    assert lambda_handler.handler({"apply": True}, None)["applied"] is False
    assert _left(laboratory, "lam-dry") == before


def test_250_snapshots_and_a_cap(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [_seeded(f"lam-many-{n:03}", "lam-many", 100 + n, Tier.WEEKLY) for n in range(250)]
    _seed(laboratory, "lam-many", *many)
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-many")
    monkeypatch.setenv("HANDRAIL_CAP", "100")
    found = lambda_handler.handler(None, None)
    assert (found["done"], found["left"]) == (100, 151)
    assert [one["snapshot"] for one in found["actions"][:2]] == ["lam-many-249", "lam-many-248"]
    monkeypatch.setenv("HANDRAIL_CAP", "1000")
    assert lambda_handler.handler(None, None)["done"] == 151
    assert _left(laboratory, "lam-many") == ["lam-many-hand", "lam-many-month", "lam-many-new", "rds:lam-many-2026"]


def test_one_that_fails_stops_no_other_and_ends_in_an_error(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _seed(laboratory, "lam-bad", _seeded("lam-bad-older", "lam-bad", 50, Tier.WEEKLY))
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-bad")
    laboratory.faults.error("DeleteDBSnapshot", "KMSKeyNotAccessibleFault", message="The key is gone.")
    try:
        with pytest.raises(SnapshotError) as failed:
            lambda_handler.handler({}, None)
    finally:
        laboratory.faults.clear()
    assert failed.value.message == "1 of 2 could not be done"
    assert failed.value.why.startswith("delete lam-bad-older: ")
    assert failed.value.why.endswith("KMSKeyNotAccessible: The key is gone.")
    assert "lam-bad-old" not in _left(laboratory, "lam-bad")
    assert lambda_handler.handler({}, None)["done"] == 1


def test_a_run_that_has_no_time_left_is_continued(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _seed(laboratory, "lam-slow", _seeded("lam-slow-older", "lam-slow", 50, Tier.WEEKLY))
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-slow")
    first = lambda_handler.handler({}, _Context(900_000, 30_000))
    assert [(one["snapshot"], one["state"]) for one in first["actions"]] == [
        ("lam-slow-older", "done"),
        ("lam-slow-old", "left for the next run"),
    ]
    assert lambda_handler.handler({}, _Context(900_000))["done"] == 1


def test_a_lost_answer_to_a_deletion_is_no_failure(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _seed(laboratory, "lam-lost")
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-lost")
    laboratory.faults.drop("DeleteDBSnapshot", after=True)
    try:
        assert lambda_handler.handler({}, None)["done"] == 1
    finally:
        laboratory.faults.clear()
    assert "lam-lost-old" not in _left(laboratory, "lam-lost")


def test_a_right_that_is_missing_is_named(
    laboratory: TestLaboratory, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _seed(laboratory, "lam-deny")
    monkeypatch.setenv("HANDRAIL_INSTANCES", "lam-deny")
    laboratory.faults.deny("DescribeDBSnapshots")
    try:
        with pytest.raises(RightMissing) as refused:
            lambda_handler.handler({}, None)
    finally:
        laboratory.faults.clear()
    assert refused.value.action == "rds:DescribeDBSnapshots"
    laboratory.faults.deny("DescribeExportTasks")
    try:
        remarks = lambda_handler.handler({"apply": False}, None)["remarks"]
    finally:
        laboratory.faults.clear()
    assert len(remarks) == 1
    assert remarks[0].startswith("exports are not looked at: ")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HANDRAIL_INSTANCES", "", "HANDRAIL_INSTANCES is not set"),
        ("HANDRAIL_APPLY", "yes", "HANDRAIL_APPLY cannot be used: 'yes'"),
        ("HANDRAIL_CAP", "-1", "HANDRAIL_CAP cannot be used: '-1'"),
        ("HANDRAIL_WEEKLY", "a month", "HANDRAIL_WEEKLY cannot be used: 'a month'"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        lambda_handler.read_settings({"HANDRAIL_INSTANCES": "shop", name: value})
    assert refused.value.message == message


def test_the_zip_runs_with_nothing_but_boto3(
    laboratory: TestLaboratory, environment: dict[str, str], tmp_path: Path
) -> None:
    """As on Lambda: an isolated Python that can import the zip's content and what boto3 needs, and nothing else."""
    data = package()
    assert data == package()
    assert len(data) < LARGEST / 100
    zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path / "task")
    libraries = tmp_path / "runtime"
    libraries.mkdir()
    site = Path(boto3.__file__).parent.parent
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        (libraries / name).symlink_to(site / name)
    _seed(laboratory, "lam-zip")
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'task')!r}, {str(libraries)!r}]\n"
        "from handrail.lambda_handler import handler\n"
        "handler({}, None)\n"
        "heavy = {'pydantic', 'sqlalchemy', 'alembic', 'typer', 'rich', 'zstandard', 'blake3'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={**environment, "HANDRAIL_APPLY": "true", "HANDRAIL_INSTANCES": "lam-zip"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["done"] == 1
    assert "lam-zip-old" not in _left(laboratory, "lam-zip")
