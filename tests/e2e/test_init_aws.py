"""`handrail init --aws`: the template, read by cfn-lint, deployed by AWS's own command line, and its rights used up (G5.5)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import boto3
import pytest

from handrail import lambda_handler
from handrail.cli.clouds import FILE, template_defaults
from handrail.config import load_config
from handrail.lambda_handler import Settings, read_settings
from handrail.lambda_package import package
from handrail.lambda_template import ACTIONS, Defaults, template
from handrail.retention.cleaning import Scope, snapshot_policy
from handrail.retention.policy import FOREVER
from handrail.snapshots.snapshot import Label, Tier
from support.calling import handrail
from support.laboratory import TestLaboratory
from support.objects import KEY, SECRET, Server
from support.templates import PROGRAMS, linted

pytestmark = pytest.mark.story

REGION = "ap-northeast-2"
KEY_OF_ZIP = f"handrail-lambda-{sha256(package()).hexdigest()[:12]}.zip"
CONFIGURATION = f"""[environments.production]
rds = {{instance = "shop-prod", region = "{REGION}"}}
[environments.staging]
[retention]
last = 1
pre_migration = "36h"
milestones = {{weekly = "12w", yearly = "7y"}}
timezone = "Asia/Seoul"
"""


#: A slip, and how cfn-lint tells it.
SLIPS = (
    ("rds:DeleteDBSnapshot\n", "rds:DeleteDBSnapshots\n", "W3037 'deletedbsnapshots' is not one of"),
    ("Timeout: 600", "Timeout: 1200", "E3717 1200 is greater than the maximum of 900"),
    ("InMinutes: !Ref FlexibleMinutes", "InMinutes: 5000", "E3034 5000 is greater than the maximum of 1440"),
    ("Attempts: 5", "Attempts: 500", "E3034 500 is greater than the maximum of 185"),
    ("!GetAtt ClockRole.Arn", "!GetAtt ClockRoll.Arn", "E1010 'ClockRoll' is not one of"),
    ("TreatMissingData: no", "TreatMissing: no", "E3002 Additional properties are not allowed ('TreatMissing'"),
)


def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    assert linted(tmp_path, *(template(Defaults(KEY_OF_ZIP, instances)) for instances in ("", "shop-prod"))) == ""


def test_cfn_lint_reads_what_it_is_trusted_with(tmp_path: Path) -> None:
    """A slip anywhere would be told: the clean result above is worth something."""
    text = template(Defaults(KEY_OF_ZIP, "shop-prod"))
    for right, wrong, _ in SLIPS:
        assert right in text
        text = text.replace(right, wrong)
    told = linted(tmp_path, text)
    assert [found for *_, found in SLIPS if found not in told] == []


def test_the_configuration_gives_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "handrail.toml").write_text(CONFIGURATION)

    def defaults(env: str) -> Defaults:
        return template_defaults(load_config(tmp_path, env=env, environ={}))

    times = (timedelta(weeks=12), timedelta(days=180), timedelta(days=365 * 7), timedelta(hours=36))
    assert defaults("production") == Defaults(KEY_OF_ZIP, "shop-prod", *times, "Asia/Seoul")
    assert defaults("staging").instances == ""


NEXT = f"""
next, with a bucket of yours in the same region as BUCKET (https://github.com/puddingcamp/handrail/blob/main/docs/lambda.md):
  handrail lambda package
  aws s3 cp handrail-lambda.zip s3://BUCKET/{KEY_OF_ZIP} --region {REGION}
  aws cloudformation deploy --region {REGION} --stack-name handrail-cleanup --template-file handrail-cleanup.yaml --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=BUCKET
it deletes nothing yet; see what it would do:
  aws lambda invoke --region {REGION} --function-name handrail-cleanup answer.json && cat answer.json
then let it:
  aws cloudformation deploy --region {REGION} --stack-name handrail-cleanup --template-file handrail-cleanup.yaml --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=BUCKET Apply=true
"""


def test_it_is_written_and_never_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "handrail.toml").write_text(CONFIGURATION)
    file = tmp_path / FILE
    said = handrail(tmp_path, "init", "--aws")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"written    {file}\n{NEXT}"
    written = file.read_text()
    assert handrail(tmp_path, "init", "--aws").out == f"unchanged  {file}\n{NEXT}"
    file.write_text("mine\n")
    said = handrail(tmp_path, "init", "--aws")
    assert (said.code, said.error, file.read_text()) == (
        10,
        f"HR1000 not done: replace <here>/{FILE}, which says something else?\n  why: there is no terminal to ask\n"
        "  next: add --yes",
        "mine\n",
    )
    said = handrail(tmp_path, "init", "--aws", "--yes")
    assert (said.code, said.out.splitlines()[0], file.read_text()) == (0, f"replaced   {file}", written)
    file.write_bytes(b"\xff")
    said = handrail(tmp_path, "init", "--aws", "--yes")
    assert (said.code, said.error) == (
        2,
        f"HR200 <here>/{FILE} cannot be written\n  why: it is no text, and not of handrail\n"
        "  next: move it away, or give it write rights",
    )
    said = handrail(tmp_path, "init", "--aws", "--github")
    assert (said.code, said.error) == (
        2,
        "HR200 --github and --aws write different things\n  next: call init once for each",
    )


def test_without_rds_the_deployment_names_the_instances(tmp_path: Path) -> None:
    said = handrail(tmp_path, "init", "--aws", "--json")
    document = json.loads(said.out)["result"]
    assert (said.code, document["written"], document["database"]) == (0, str(tmp_path / FILE), "")
    said = handrail(tmp_path, "init", "--aws")
    assert "--region REGION" in said.out
    assert "CodeBucket=BUCKET Instances=NAME Apply=true\n" in said.out
    assert "  Instances:\n    Type: String\n    AllowedPattern:" in (tmp_path / FILE).read_text()


@pytest.fixture
def at_moto(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name in [name for name in os.environ if name.startswith(("AWS_", "HANDRAIL_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": moto.endpoint,
        "AWS_PAGER": "",
    }.items():
        monkeypatch.setenv(name, value)
    return moto


# moto knows neither schedules nor alarms in a template; cfn-lint reads those.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
def test_aws_deploys_it_and_the_function_understands_its_variables(at_moto: Server, tmp_path: Path) -> None:
    (tmp_path / "handrail.toml").write_text(CONFIGURATION)
    assert handrail(tmp_path, "init", "--aws").code == 0
    boto3.client("s3").create_bucket(Bucket="code-of-ours", CreateBucketConfiguration={"LocationConstraint": REGION})
    boto3.client("s3").put_object(Bucket="code-of-ours", Key=KEY_OF_ZIP, Body=package())
    words = ("--template-file", FILE, "--capabilities", "CAPABILITY_IAM")
    for name, given in (("handrail-looks", ()), ("handrail-cleanup", ("Apply=true", "AdoptNamed=true", "Cap=3"))):
        applies = bool(given)
        done = subprocess.run(
            [
                PROGRAMS / "aws",
                "cloudformation",
                "deploy",
                *("--stack-name", name),
                *words,
                "--parameter-overrides",
                "CodeBucket=code-of-ours",
                *given,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        function = boto3.client("lambda").get_function_configuration(FunctionName=name)
        variables = function["Environment"]["Variables"]
        policy = snapshot_policy(
            weekly=timedelta(weeks=12), yearly=timedelta(days=365 * 7), pre_migration=timedelta(hours=36)
        )
        scope = Scope(frozenset({"shop-prod"}), 3 if applies else 10, applies)
        assert read_settings(variables) == Settings(applies, scope, policy)
        assert (function["Handler"], function["Timeout"]) == ("handrail.lambda_handler.handler", 600)
        assert rights_of(function["Role"]) == [
            *([["rds:AddTagsToResource"]] if applies else []),
            ["rds:DescribeDBSnapshots", "rds:DescribeExportTasks"],
            ["rds:DeleteDBSnapshot"],
            ["rds:AddTagsToResource"],
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            ["sqs:SendMessage"],
        ]


def rights_of(role: str) -> list[list[str]]:
    """The actions of each statement in a role's policies."""
    iam, name = boto3.client("iam"), role.rpartition("/")[2]
    names = sorted(iam.list_role_policies(RoleName=name)["PolicyNames"])
    policies = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names]
    # moto keeps what a template gives as Python writes it.
    actions = [statement["Action"] for policy in policies for statement in ast.literal_eval(str(policy))["Statement"]]
    return [[given] if isinstance(given, str) else list(given) for given in actions]


def test_forever_and_hours_are_written_as_the_function_reads_them() -> None:
    text = template(Defaults("x.zip", yearly=FOREVER, weekly=timedelta(hours=36)))
    assert "Default: forever\n" in text
    assert "Default: 36h\n" in text
    assert "<<" not in text


def test_its_rights_are_those_that_are_used_and_no_more(
    laboratory: TestLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of deed at once, and what the laboratory was asked for meanwhile."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "HANDRAIL_"))]:
        monkeypatch.delenv(name)
    for name, value in {**laboratory.environ, "HANDRAIL_INSTANCES": "rights", "HANDRAIL_APPLY": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HANDRAIL_ADOPT_NAMED", "true")
    monkeypatch.setenv("HANDRAIL_YEARLY", "1y")

    def seeded(name: str, days: int, tier: Tier | None) -> dict[str, object]:
        created = datetime.now(UTC) - timedelta(days=days)
        tags = Label("20260101_1", tier=tier).tags() if tier else {}
        return {"identifier": name, "instance": "rights", "created": created.isoformat(), "tags": tags}

    snapshots = [
        seeded("rights-new", 1, Tier.WEEKLY),
        seeded("rights-old", 40, Tier.WEEKLY),
        seeded("rights-year", 800, Tier.YEARLY),
        seeded("monthly-rights", 20, None),
    ]
    laboratory.faults.seed(instances=[{"identifier": "rights"}], snapshots=snapshots)
    laboratory.faults.forget_calls()
    answer = lambda_handler.handler({}, None)
    assert {(one["action"], one["snapshot"]) for one in answer["actions"]} == {
        ("delete", "rights-old"),
        ("archive", "rights-year"),
        ("adopt", "monthly-rights"),
    }
    assert {f"{one['service']}:{one['action']}" for one in laboratory.faults.calls()} == set(ACTIONS)
