"""Labels in tags, names, waits: what is told of a snapshot without asking anybody (G4.3, G5.5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.errors import UsageError
from handrail.snapshots.identifiers import check_instance_name, check_snapshot_name, instance_name, snapshot_name
from handrail.snapshots.instance import Instance, InstanceSettings
from handrail.snapshots.snapshot import Label, Snapshot, SnapshotKind, Tier, read_label
from handrail.snapshots.waiting import Outlook, Wait, instance_outlook, pause, snapshot_outlook

AT = datetime(2026, 2, 18, 15, 25, 1, tzinfo=UTC)
_WORDS = st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True)
_AWS_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _snapshot(**given_: object) -> Snapshot:
    base: dict[str, object] = {"id": "one", "arn": "arn:one", "instance": "shop", "kind": SnapshotKind.MANUAL}
    return Snapshot(**(base | {"status": "available"} | given_))  # type: ignore[arg-type]


@given(
    st.builds(
        Label,
        run_id=_WORDS,
        environment=_WORDS,
        revisions=st.lists(_WORDS, max_size=3).map(tuple),
        target=st.lists(_WORDS, max_size=3).map(tuple),
        git_commit=_WORDS,
        tier=st.sampled_from(Tier),
        expires=st.none() | st.just(AT),
        is_pinned=st.booleans(),
        is_to_be_archived=st.booleans(),
        is_temporary=st.booleans(),
    )
)
def test_a_label_comes_back_from_its_tags(label: Label) -> None:
    assert read_label(label.tags()) == label


def test_the_tags_are_named_after_handrail() -> None:
    label = Label("20260218_1", "production", ("a1",), ("b2", "c3"), "0f3e", Tier.WEEKLY, AT)
    assert label.tags() == {
        "handrail:managed": "true",
        "handrail:run": "20260218_1",
        "handrail:environment": "production",
        "handrail:from": "a1",
        "handrail:to": "b2 c3",
        "handrail:commit": "0f3e",
        "handrail:tier": "weekly",
        "handrail:expires": "2026-02-18T15:25:01+00:00",
    }


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=30)))
def test_what_is_not_managed_has_no_label(tags: dict[str, str]) -> None:
    assert read_label({**tags, "handrail:managed": "yes"}) is None


def test_what_cannot_be_read_counts_as_what_is_kept_longest() -> None:
    tags = {"handrail:managed": "true", "handrail:tier": "fortnightly", "handrail:expires": "2026-02-18T15:25"}
    assert read_label(tags) == Label("", tier=Tier.YEARLY)


@given(st.text(max_size=400))
def test_tags_hold_only_what_aws_allows(text: str) -> None:
    for value in Label(text or "r", text).tags().values():
        assert len(value) <= 256
        assert re.fullmatch(r"[\w .:/=+@-]*", value)


def test_tiers_by_tag_then_by_name() -> None:
    names = {
        "weekly-20260218": Tier.WEEKLY,
        "Monthly-2": Tier.MONTHLY,
        "before-migration-1": Tier.PRE_MIGRATION,
        "x": None,
    }
    assert {name: _snapshot(id=name).tier for name in names} == names
    assert _snapshot(id="weekly-1", tags=Label("r", tier=Tier.YEARLY).tags()).tier is Tier.YEARLY


def test_a_name_tells_the_second_and_the_revision() -> None:
    assert snapshot_name("before-migration", AT, "C3a1b2__") == "before-migration-20260218-152501-c3a1b2"


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_name_that_is_given_is_allowed(prefix: str, revision: str) -> None:
    name = snapshot_name(prefix, AT, revision)
    assert _AWS_NAME.fullmatch(name)
    assert len(name) <= 255
    other = instance_name(prefix, "rehearsal", f"20260218_152501_{len(revision)}")
    assert _AWS_NAME.fullmatch(other)
    assert len(other) <= 63


@pytest.mark.parametrize(
    "name", ["", "1a", "a--b", "a-", "a_b", "a" * 256, "rds-mine", "awsbackup-mine", "rds:mine", "가"]
)
def test_a_name_that_aws_refuses_is_refused_before(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_snapshot_name(name)
    assert str(refused.value) == f"{name!r} cannot be the name of a snapshot"
    assert refused.value.why.startswith("AWS allows up to 255 characters")


def test_good_names_are_stored_in_lower_case() -> None:
    assert (check_snapshot_name("Before-1"), check_instance_name("Shop")) == ("before-1", "shop")


@pytest.mark.parametrize(
    ("snapshot", "wait"),
    [
        (None, Wait(Outlook.WAIT, "not to be seen yet")),
        (_snapshot(status="creating", percent=40), Wait(Outlook.WAIT, "creating, 40 %", 40)),
        (_snapshot(status="creating"), Wait(Outlook.WAIT, "creating")),
        (_snapshot(status="something-new", percent=0), Wait(Outlook.WAIT, "something-new, 0 %", 0)),
        (_snapshot(status="failed"), Wait(Outlook.FAILED, "failed")),
        (_snapshot(), Wait(Outlook.READY, "available", 100)),
    ],
)
def test_the_outlook_of_a_snapshot(snapshot: Snapshot | None, wait: Wait) -> None:
    assert snapshot_outlook(snapshot) == wait


def _instance(status: str, host: str = "") -> Instance:
    return Instance("shop", "arn", "r", status, "postgres", "15.4", InstanceSettings(), host=host)


@pytest.mark.parametrize(
    ("instance", "wait"),
    [
        (None, Wait(Outlook.WAIT, "not to be seen yet")),
        (_instance("creating"), Wait(Outlook.WAIT, "creating")),
        (_instance("available"), Wait(Outlook.WAIT, "available")),
        (_instance("available", "shop.rds"), Wait(Outlook.READY, "available")),
        (_instance("incompatible-network"), Wait(Outlook.FAILED, "incompatible-network")),
    ],
)
def test_the_outlook_of_an_instance(instance: Instance | None, wait: Wait) -> None:
    assert instance_outlook(instance) == wait


@given(st.floats(0, 1e6))
def test_a_pause_is_bounded(waited: float) -> None:
    assert 2 <= pause(waited) <= 30
