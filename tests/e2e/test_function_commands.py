"""`handrail lambda`: the zip and the plan, as people see them (G5.5)."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jsonschema import Draft202012Validator

from handrail.laboratory.client import LaboratoryClient
from handrail.lambda_package import package
from handrail.snapshots.snapshot import Label, Tier
from support.calling import handrail
from support.laboratory import TestLaboratory

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"


def test_the_zip_is_written(tmp_path: Path) -> None:
    said = handrail(tmp_path, "lambda", "package")
    first, second, third = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert first.startswith("handrail-lambda.zip: ")
    assert second == "handler: handrail.lambda_handler.handler; boto3 is Lambda's own"
    assert third == "next: handrail init --aws writes the template that runs it"
    written = tmp_path / "handrail-lambda.zip"
    assert written.read_bytes() == package()
    assert "handrail/lambda_handler.py" in zipfile.ZipFile(written).namelist()
    document = json.loads(handrail(tmp_path, "lambda", "package", "--json").out)["result"]
    assert (document["file"], document["size"]) == ("handrail-lambda.zip", written.stat().st_size)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    said = handrail(tmp_path, "lambda", "package", "--out", "nowhere/x.zip")
    assert (said.code, said.error) == (
        2,
        "HR200 nowhere/x.zip cannot be written\n  why: No such file or directory\n  next: name another file: --out FILE",
    )


def test_a_plan_needs_an_environment_on_rds(tmp_path: Path) -> None:
    said = handrail(tmp_path, "lambda", "plan", "--env", "production")
    assert said.code == 2
    assert "the environment production does not say in which RDS instance its database runs" in said.error
    assert said.error.splitlines()[-1] == (
        "  next: write [environments.production.rds] in handrail.toml with"
        ' instance = "shop-prod" and region = "ap-northeast-2"'
    )


def test_a_plan_shows_every_snapshot_with_its_reason(laboratory: TestLaboratory, tmp_path: Path) -> None:
    def seeded(name: str, days: int, tier: Tier | None = None) -> dict[str, object]:
        created = datetime.now(UTC) - timedelta(days=days)
        tags = Label("20260101_1", tier=tier).tags() if tier else {}
        return {"identifier": name, "instance": "fun-plan", "created": created.isoformat(), "tags": tags}

    # In a region of its own, where no other test has snapshots.
    LaboratoryClient(laboratory.endpoint, "us-east-2").seed(
        instances=[{"identifier": "fun-plan"}],
        snapshots=[
            seeded("fun-new", 1, Tier.WEEKLY),
            seeded("fun-old", 20, Tier.WEEKLY),
            seeded("monthly-fun", 300),
            seeded("fun-hand", 300),
        ],
    )
    (tmp_path / "handrail.toml").write_text(
        "[retention]\nlast = 1\nmilestones = {weekly = '10d'}\n"
        "[environments.production]\nrds = {instance = 'fun-plan', region = 'us-east-2'}\n"
    )
    said = handrail(tmp_path, "lambda", "plan", "--env", "production", "--adopt-named", **laboratory.environ)  # type: ignore[arg-type]
    lines = [[cell for cell in line.split("  ") if cell] for line in said.out.splitlines()]
    assert (said.code, said.err) == (0, "")
    assert [(line[0], line[1].strip(), line[3].strip()) for line in lines[1:-1]] == [
        ("adopt", "monthly-fun", "its name says that it is monthly"),
        ("delete", "fun-old", "not among the last 1; milestone weekly, over 10 days ago"),
        ("keep", "fun-new", lines[3][3].strip()),
        ("not ours", "fun-hand", "no tag says that handrail manages it"),
    ]
    assert lines[3][3].startswith("the newest backup; among the last 1; milestone weekly, until ")
    assert said.out.splitlines()[-1] == "4 snapshots: 1 adopt, 1 delete, 1 keep, 1 not ours; nothing was touched"
    read = json.loads(handrail(tmp_path, "lambda", "plan", "--env", "production", "--json", **laboratory.environ).out)  # type: ignore[arg-type]
    Draft202012Validator(json.loads((SCHEMAS / "lambda-plan.json").read_text())).validate(read)
    assert [one["verdict"] for one in read["result"]["snapshots"]] == ["delete", "keep", "not ours", "not ours"]
