"""The policies of commands: every right is used by what the policy is for, and none is missing, as a laboratory is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.cli.clouds import POLICIES
from handrail.command_policies import RIGHTS, policies
from handrail.databases.rds.client import Account, Clients
from handrail.databases.rds.snapshots import RdsSnapshots
from handrail.databases.waiting import Patience, wait_for_instance, wait_for_snapshot
from handrail.snapshots.export import ExportRequest
from handrail.snapshots.snapshot import Label
from support.calling import handrail
from support.laboratory import TestLaboratory
from support.templates import linted

pytestmark = pytest.mark.story

LIVE = "policies"
LABEL = Label("20261128_1")
PATIENCE = Patience(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.1)), 60.0, grace=2.0)


def rights_in(text: str) -> dict[str, frozenset[str]]:
    """What each policy of a template allows on RDS."""
    resources = text.partition("\nResources:\n")[2].partition("\nOutputs:\n")[0]
    parts = re.split(r"(?m)^  (\w+):$", resources)
    return {
        name: frozenset(re.findall(r"\brds:[A-Z]\w+", part))
        for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_template_allows_what_is_said() -> None:
    assert rights_in(policies("shop-prod")) == RIGHTS


def test_cfn_lint_finds_nothing_and_would_find_a_slip(tmp_path: Path) -> None:
    assert linted(tmp_path, policies(""), policies("shop-prod")) == ""
    assert "W3037" in linted(tmp_path, policies("shop").replace("rds:StartExportTask", "rds:BeginExportTask"))


@pytest.fixture(scope="module")
def asked(laboratory: TestLaboratory) -> Iterator[Callable[[], frozenset[str]]]:
    """What the laboratory was asked for since the last time, without looking."""
    laboratory.create(LIVE)
    laboratory.client("s3").create_bucket(
        Bucket="policies", CreateBucketConfiguration={"LocationConstraint": laboratory.environ["AWS_REGION"]}
    )
    laboratory.faults.forget_calls()

    def read() -> frozenset[str]:
        calls = frozenset(f"{one['service']}:{one['action']}" for one in laboratory.faults.calls())
        laboratory.faults.forget_calls()
        return frozenset(one for one in calls if one.startswith("rds:")) - RIGHTS["Look"]

    yield read


@pytest.fixture
def rds(laboratory: TestLaboratory, monkeypatch: pytest.MonkeyPatch) -> RdsSnapshots:
    for name, value in laboratory.environ.items():
        monkeypatch.setenv(name, value)
    return RdsSnapshots(Clients(Account(laboratory.environ["AWS_REGION"])))


def test_every_right_is_used_and_none_is_missing(
    laboratory: TestLaboratory, rds: RdsSnapshots, asked: Callable[[], frozenset[str]]
) -> None:
    """One story after the other, as they build on one another. Tags that come along with a call are a right beside it."""
    tagging = {"rds:AddTagsToResource"}
    rds.take("policies-one", LIVE, LABEL)
    snapshot = wait_for_snapshot(rds, "policies-one", PATIENCE)
    assert asked() == RIGHTS["TakeSnapshots"] - tagging

    role = laboratory.client("iam").create_role(RoleName="policies", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    key = laboratory.client("kms").create_key()["KeyMetadata"]["Arn"]
    rds.export(ExportRequest("policies-export", snapshot.arn, "policies", "", role, key))
    assert asked() == RIGHTS["Export"]

    live = rds.instance(LIVE)
    temporary = replace(LABEL, is_temporary=True)
    for name in ("policies-restored", "policies-moment"):
        if name == "policies-restored":
            rds.restore(snapshot.id, name, live.settings, temporary)
        else:
            rds.restore_moment(live, None, name, live.settings, temporary)
        wait_for_instance(rds, name, PATIENCE)
        if rds.settle(name, replace(live.settings, is_deletion_protected=False, retention_days=3)):
            wait_for_instance(rds, name, PATIENCE)
        rds.drop_instance(name)
    assert asked() == RIGHTS["Restore"] - tagging

    rds.set_automated(LIVE, retention_days=9, window="")
    wait_for_instance(rds, LIVE, PATIENCE)
    rds.rename(LIVE, "policies-before")
    assert asked() == RIGHTS["ChangeInstance"]

    rds.relabel(snapshot, replace(LABEL, is_pinned=True))
    rds.relabel(rds.snapshot(snapshot.id), LABEL)
    rds.delete(snapshot.id)
    assert asked() == RIGHTS["PruneSnapshots"]

    laboratory.faults.forget_calls()
    rds.instances(), rds.snapshots(), rds.exports(), rds.quota(), rds.window("policies-before")
    looked = {f"{one['service']}:{one['action']}" for one in laboratory.faults.calls()}
    assert looked == RIGHTS["Look"]


def test_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "handrail.toml").write_text(
        '[environments.production]\nrds = {instance = "shop-prod", region = "eu-central-1"}\n'
    )
    said = handrail(tmp_path, "init", "--aws", "--policies")
    assert (said.code, said.err) == (0, "")
    assert (
        said.out
        == f"""written    {tmp_path / POLICIES}

next (https://github.com/puddingcamp/handrail/blob/main/docs/lambda.md):
  aws cloudformation deploy --region eu-central-1 --stack-name handrail-policies --template-file {POLICIES} --capabilities CAPABILITY_IAM
  aws cloudformation describe-stacks --region eu-central-1 --stack-name handrail-policies --query 'Stacks[0].Outputs'
then attach to each role the policies of what it calls
"""
    )
    assert (tmp_path / POLICIES).read_text() == policies("shop-prod")
    said = handrail(tmp_path, "init", "--policies")
    assert (said.code, said.error) == (2, "HR200 --policies goes with --aws\n  next: add --aws")
