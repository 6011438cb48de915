"""`handrail init --github`: the files are written, checked by two tools of others, and their scripts really run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from support.story import SECOND_SCRIPT, Story, on_sqlite

pytestmark = pytest.mark.story

ROLE = "arn:aws:iam::123456789012:role/handrail-deploy"
BIN = Path(sys.executable).parent
NAMES = ["handrail-deploy.yml", "handrail-restore.yml", "handrail-review.yml"]
RDS = '\n[tool.handrail.environments.production.rds]\ninstance = "puddingcamp-prod"\nregion = "ap-northeast-2"\n'


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """The sample application below the top of a checkout."""
    for words in (("init", "-q"), ("remote", "add", "origin", "git@github.com:puddingcamp/appserver.git")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)  # noqa: S607
    return on_sqlite(tmp_path)


def on_rds(story: Story) -> Story:
    config = story.folder / "pyproject.toml"
    config.write_text(config.read_text() + RDS)
    return story


def workflows(story: Story) -> Path:
    return story.folder.parent / ".github" / "workflows"


def read(story: Story) -> dict[str, Any]:
    return {path.name: YAML(typ="safe").load(path.read_text()) for path in sorted(workflows(story).iterdir())}


def accepted(story: Story) -> None:
    """By GitHub's schema, and by an audit that knows the common holes."""
    files = [str(path) for path in workflows(story).iterdir()]
    for words in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files],
        ["zizmor", "--offline", "--no-progress", "--persona=regular", str(story.folder.parent)],
    ):
        done = subprocess.run([str(BIN / words[0]), *words[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def jobs(story: Story) -> dict[str, dict[str, Any]]:
    return {f"{name} {job}": body for name, file in read(story).items() for job, body in file["jobs"].items()}


def careful(story: Story) -> None:
    """What no tool checks: rights, protection, deadlines, and nothing of anybody's in the text of a command."""
    for file in read(story).values():
        assert file["permissions"] == {}
    for name, job in jobs(story).items():
        assert job["timeout-minutes"] <= 180, name
        assert ("environment" in job) == ("review" not in name), name
        assert {"contents": "read"}.items() <= job["permissions"].items(), name
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), name
            assert "--yes" not in step.get("run", ""), name
            if "uses" in step:
                assert len(step["uses"].partition("@")[2]) == 40, name


def test_on_rds(story: Story) -> None:
    done = on_rds(story).result("init", "--github", "--role-arn", ROLE, "--python", "3.13")["result"]
    assert done["workflows"] == [str(workflows(story) / name) for name in ("handrail-review.yml", *NAMES[:2])]
    accepted(story)
    careful(story)
    found = jobs(story)
    names = ["deploy", "plan", "snapshot", "wait"]
    deploy = {name.split()[1]: job for name, job in found.items() if name.startswith("handrail-deploy")}
    assert sorted(deploy) == names
    assert {name: deploy[name].get("needs") for name in names} == {
        "plan": None,
        "snapshot": "plan",
        "wait": "snapshot",
        "deploy": ["plan", "snapshot", "wait"],
    }
    environments = {name: deploy[name]["environment"] for name in names}
    assert environments == {**dict.fromkeys(names, "production-plan"), "deploy": "production"}
    assert all(job["permissions"]["id-token"] == "write" for job in deploy.values())
    files = read(story)
    groups = [files[name]["concurrency"] for name in NAMES[:2]]
    assert groups == [{"group": "handrail-database-production", "cancel-in-progress": False}] * 2
    restore = files["handrail-restore.yml"]
    assert list(restore[True] if True in restore else restore["on"]) == ["workflow_dispatch"]


def test_elsewhere(story: Story) -> None:
    words = ("--branch", "release/1", "--env", "staging")
    out, _ = story.run("init", "--github", *words)
    accepted(story)
    careful(story)
    assert [name.split()[1] for name in jobs(story)] == ["plan", "deploy", "restore", "lint"]
    assert all("id-token" not in job["permissions"] for job in jobs(story).values())
    assert out.splitlines()[:6] == [
        f"written    {workflows(story)}/handrail-review.yml",
        f"written    {workflows(story)}/handrail-deploy.yml",
        f"written    {workflows(story)}/handrail-restore.yml",
        "warning: the store .handrail/store is a folder: on a hosted runner it is gone after the job",
        "warning: [environments.staging.deploy] names no command: `handrail deploy` will ask for one",
        "warning: [environments.staging] has no health check: nobody will notice an unwell application",
    ]
    assert "STAGING_DATABASE_URL: ${{ secrets.STAGING_DATABASE_URL }}" in (workflows(story) / NAMES[0]).read_text()
    assert "working-directory: puddingcamp" in (workflows(story) / NAMES[0]).read_text()


def test_the_trust_policy(story: Story) -> None:
    policy = json.loads(on_rds(story).result("init", "--github", "--role-arn", ROLE)["result"]["trust_policy"])
    (statement,) = policy["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": [
                    "repo:puddingcamp/appserver:environment:production-plan",
                    "repo:puddingcamp/appserver:environment:production",
                    "repo:puddingcamp@OWNER_ID/appserver@REPOSITORY_ID:environment:production-plan",
                    "repo:puddingcamp@OWNER_ID/appserver@REPOSITORY_ID:environment:production",
                ],
            }
        },
    }


def test_a_file_of_somebodys_is_kept(story: Story) -> None:
    story.run("init", "--github")
    path = workflows(story) / NAMES[0]
    written = path.read_text()
    path.write_text("# mine\n")
    error = story.result("init", "--github", exits=10)["error"]
    assert (error["message"], error["hint"]) == (f"not done: replace {path}, which says something else?", "add --yes")
    assert path.read_text() == "# mine\n"
    out, _ = story.run("init", "--github", "--yes")
    assert out.splitlines()[:3] == [
        f"unchanged  {workflows(story)}/handrail-review.yml",
        f"replaced   {path}",
        f"unchanged  {workflows(story)}/handrail-restore.yml",
    ]
    assert path.read_text() == written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--github", "--role-arn", "me", "--region", "eu-central-1"),
            "a role is written like arn:aws:iam::123456789012:role/handrail-deploy",
        ),
        (("--github", "--role-arn", ROLE), "the role's region is not known"),
        (("--github", "--role-arn", ROLE, "--region", "Frankfurt"), "a region is written like ap-northeast-2"),
        (("--github", "--python", "3"), "a version of Python is written like 3.13"),
        (("--github", "--branch", "a: b"), "'a: b' has signs that a workflow file would have to quote"),
        (("--branch", "main"), "--role-arn, --region, --python and --branch go with --github"),
    ],
)
def test_what_cannot_be_written(story: Story, words: tuple[str, ...], message: str) -> None:
    error = story.result("init", *words, exits=2)["error"]
    assert message in (error["message"], error["why"])
    assert not workflows(story).exists()


def test_rds_needs_a_role(story: Story) -> None:
    error = on_rds(story).result("init", "--github", exits=2)["error"]
    assert error["hint"] == "add --role-arn arn:aws:iam::123456789012:role/handrail-deploy"


def step(story: Story, file: str, job: str, number: int) -> str:
    steps = [one["run"] for one in read(story)[file]["jobs"][job]["steps"] if "run" in one]
    text: str = steps[number]
    return text


def ran(story: Story, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner does: by bash, its own files for outputs and summary, our programs on the path."""
    environment = {
        **os.environ,
        **story.environment,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(story.folder / "output"),
        "GITHUB_STEP_SUMMARY": str(story.folder / "summary"),
        **variables,
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    return subprocess.run(words, cwd=story.folder, env=environment, capture_output=True, text=True, check=False)


def test_the_plan_runs(story: Story) -> None:
    """Refused, pending, nothing pending: the jobs that follow read one word."""
    story.fill()
    story.run("init", "--github", "--env", "development")
    plan = step(story, "handrail-deploy.yml", "plan", 1)
    refused = ran(story, plan)
    assert refused.returncode == 1
    assert "handrail refuses the pending scripts: HR-" in refused.stderr
    story.repaired()
    done = ran(story, plan)
    assert (done.returncode, (story.folder / "output").read_text()) == (0, "pending=true\n"), done.stderr
    assert "add attendance_status to bookings" in (story.folder / "summary").read_text()
    (story.folder / "alembic" / "versions" / SECOND_SCRIPT).unlink()
    (story.folder / "output").unlink()
    assert ran(story, plan).returncode == 0
    assert (story.folder / "output").read_text() == "pending=false\n"


def test_the_review_runs(story: Story) -> None:
    story.run("init", "--github", "--env", "development")
    git = ["git", "-C", str(story.folder), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    (story.folder / "alembic" / "versions" / SECOND_SCRIPT).rename(story.folder / "later.py")
    for words in (("add", "."), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], check=True)
    (story.folder / "later.py").rename(story.folder / "alembic" / "versions" / SECOND_SCRIPT)
    done = ran(story, step(story, "handrail-review.yml", "lint", 1), BASE="HEAD")
    assert done.returncode == 3, done.stderr
    sarif = json.loads((story.folder / "handrail.sarif").read_text())
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in sarif["runs"][0]["results"]
    }
    assert len(uris) == 1
    assert uris.pop().endswith(f"alembic/versions/{SECOND_SCRIPT}")


def test_the_restore_runs(story: Story) -> None:
    story.fill()
    story.run("init", "--github", "--env", "development")
    story.run("backup", "create")
    restore = step(story, "handrail-restore.yml", "restore", 1)
    done = ran(story, restore, BACKUP="latest", DATABASE="back")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in story.folder.glob("*back*")] != []
