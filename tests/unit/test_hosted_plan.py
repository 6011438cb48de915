"""A guarded run on RDS as a plan, and the document that tells of a snapshot."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from handrail.backups.methods import DumpRequest, Format, require_replacement
from handrail.databases.rds.restoring import calls_by_hand
from handrail.errors import BackupError, UsageError
from handrail.facts import Capability
from handrail.guard.plan import ApplyPlan, Policy, StepKind, Undo, plan_apply
from handrail.snapshots.descriptor import Descriptor, describe, for_a_while, read_descriptor, write_descriptor
from handrail.snapshots.snapshot import Label
from support.hosted import BEGUN, SETTINGS, HostedInMemory, an_instance
from support.projects import STATUS, path_of

PATH = path_of(STATUS, start="a1")
POLICY = Policy("production", "required", "required", "auto", snapshot=True)
L, K, S, B, V, R, A, P = (
    StepKind.LINT,
    StepKind.LOCK,
    StepKind.SNAPSHOT,
    StepKind.BACKUP,
    StepKind.VERIFY,
    StepKind.REHEARSE,
    StepKind.APPLY,
    StepKind.PROVE,
)


def planned(policy: Policy, *, has_data: bool = True) -> ApplyPlan:
    found = plan_apply(PATH, (), policy, frozenset({Capability.TRANSACTIONAL_DDL}), has_data=has_data)
    assert isinstance(found, ApplyPlan)
    return found


def kinds(plan: ApplyPlan) -> list[StepKind]:
    return [step.kind for step in plan.steps]


def undo(plan: ApplyPlan) -> tuple[Undo, ...]:
    step = plan.step(StepKind.APPLY)
    assert step is not None
    return step.undo


def test_the_snapshot_comes_before_the_dump() -> None:
    plan = planned(POLICY)
    assert kinds(plan) == [L, K, S, B, V, R, A, P]
    assert undo(plan) == (Undo.ROLLBACK, Undo.DOWNGRADE, Undo.RESTORE, Undo.RESTORE_NEW)


def test_on_an_instance_there_is_no_dump() -> None:
    plan = planned(replace(POLICY, on_instance=True))
    assert kinds(plan) == [L, K, S, V, R, A, P]
    assert undo(plan) == (Undo.ROLLBACK, Undo.DOWNGRADE, Undo.RESTORE_NEW)


@pytest.mark.parametrize("on_instance", [False, True])
def test_what_the_policy_forbids_is_not_planned(on_instance: bool) -> None:
    never = planned(replace(POLICY, on_instance=on_instance, restore="never"))
    assert undo(never) == (Undo.ROLLBACK, Undo.DOWNGRADE)
    for plan in (planned(replace(POLICY, on_instance=on_instance, backup="off")), planned(POLICY, has_data=False)):
        assert kinds(plan) == [L, K, A, P]
    optional = planned(replace(POLICY, on_instance=on_instance, backup="optional"))
    assert [step.kind for step in optional.steps if step.may_be_missed] == ([S, V] if on_instance else [S, B, V])


def described() -> Descriptor:
    hosted = HostedInMemory(steps=(("available", 100),))
    return describe(hosted.take("before-migration-1", "shop-prod", Label("r1")), an_instance())


def test_a_document_comes_back() -> None:
    assert described() == Descriptor(
        snapshot="before-migration-1",
        arn="arn:aws:rds:ap-northeast-2:123456789012:snapshot:before-migration-1",
        region="ap-northeast-2",
        instance="shop-prod",
        resource_id="db-SHOP-PROD",
        engine="postgres",
        engine_version="18.1",
        settings=SETTINGS,
        database="shop",
        user="shop",
        size_gb=100,
        full_size=3 << 30,
        taken_at=BEGUN,
        is_encrypted=True,
    )
    assert read_descriptor(write_descriptor(described())) == described()
    assert described().size_bytes == 3 << 30
    assert replace(described(), full_size=None).size_bytes == 100 << 30


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"version": 1, "rds-snapshot": {}}', b"\xff"])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(BackupError) as caught:
        read_descriptor(data)
    assert caught.value.message == "This does not describe a snapshot."


def test_a_newer_document_is_refused() -> None:
    newer = json.loads(write_descriptor(described())) | {"version": 2}
    with pytest.raises(BackupError) as caught:
        read_descriptor(json.dumps(newer).encode())
    assert caught.value.why == "its version is 2, this handrail reads 1"


def test_a_temporary_instance_is_cheap_and_reached_in_the_same_way() -> None:
    found = for_a_while(SETTINGS, "db.t4g.small")
    assert (found.instance_class, found.is_multi_az, found.is_deletion_protected) == ("db.t4g.small", False, False)
    assert (found.retention_days, found.max_storage_gb) == (0, None)
    same = ("subnet_group", "security_groups", "parameter_group", "port", "storage_gb", "storage_type", "is_public")
    assert [getattr(found, name) for name in same] == [getattr(SETTINGS, name) for name in same]
    assert for_a_while(SETTINGS).instance_class == SETTINGS.instance_class


def test_by_hand_the_rest_is_set_after_the_restore() -> None:
    calls = json.loads(json.dumps(calls_by_hand("s", SETTINGS)))
    assert calls["restore"]["DBSnapshotIdentifier"] == "s"
    assert calls["restore"]["DeletionProtection"] is False
    assert calls["restore"]["Tags"] == [{"Key": "team", "Value": "shop"}]
    assert calls["modify"]["ApplyImmediately"] is True
    assert calls["modify"]["DeletionProtection"] is True
    assert calls["modify"]["BackupRetentionPeriod"] == 7


def test_a_snapshot_never_replaces_the_live_database() -> None:
    with pytest.raises(UsageError) as caught:
        require_replacement(DumpRequest(Format.RDS_SNAPSHOT), "20260218_1")
    assert caught.value.hint == "restore it as a new instance: --into NAME; then: handrail rds switch --to NAME"
