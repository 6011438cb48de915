"""Which snapshots of RDS go (G4.6, G5.5): any set of them, any clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.snapshots import SnapshotError
from handrail.retention.cleaning import Action, Deed, Scope, plan_cleaning, snapshot_policy
from handrail.snapshots.export import Export
from handrail.snapshots.snapshot import Label, Snapshot, SnapshotKind, Tier
from handrail.workflows.cleaning import Cleaned, clean, plan_clean
from support.hosted import HostedInMemory
from support.pace import cost

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
POLICY = snapshot_policy()
AGES = st.integers(-40, 900)
NAMES = st.sampled_from(["weekly-{}", "monthly-{}", "yearly-{}", "before-migration-{}", "by-hand-{}"])


def shot(number: int, age: int | None, label: Label | None = None, **given_: object) -> Snapshot:
    base = {
        "id": f"s-{number}",
        "instance": "shop",
        "kind": SnapshotKind.MANUAL,
        "status": "available",
        "created_at": None if age is None else NOW - timedelta(days=age),
        "tags": label.tags() if label else {},
    }
    values = base | given_
    return Snapshot(arn=f"arn:aws:rds:r:1:snapshot:{values['id']}", **values)  # type: ignore[arg-type]


def labelled(tier: Tier, **given_: object) -> Label:
    return Label("20261101_1", tier=tier, **given_)  # type: ignore[arg-type]


LABELS = st.builds(
    labelled,
    st.sampled_from(Tier),
    is_pinned=st.booleans(),
    is_to_be_archived=st.booleans(),
    expires=st.none() | AGES.map(lambda days: NOW - timedelta(days=days)),
)


@st.composite
def sets(draw: st.DrawFn) -> list[Snapshot]:
    return [
        shot(
            number,
            draw(st.none() | AGES),
            draw(st.none() | LABELS),
            id=draw(NAMES).format(number),
            instance=draw(st.sampled_from(["shop", "other"])),
            kind=draw(st.sampled_from([SnapshotKind.MANUAL] * 5 + list(SnapshotKind))),
            status=draw(st.sampled_from(["available"] * 5 + ["creating", "failed", "deleting"])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


SCOPES = st.builds(Scope, st.sampled_from([frozenset(), frozenset({"shop"})]), st.integers(0, 6), st.booleans())
POLICIES = st.builds(snapshot_policy, yearly=st.sampled_from([timedelta.max, timedelta(days=400)]))
CLOCKS = st.integers(-2000, 2000).map(lambda days: NOW + timedelta(days=days))


def _in_memory(snapshots: list[Snapshot]) -> HostedInMemory:
    return HostedInMemory(kept={one.id: one for one in snapshots})


@given(sets(), SCOPES, POLICIES, CLOCKS)
def test_nothing_foreign_and_never_the_last_good_one(
    snapshots: list[Snapshot], scope: Scope, policy: object, now: datetime
) -> None:
    plan = plan_cleaning(snapshots, (), policy, scope, now)  # type: ignore[arg-type]
    chosen = (*plan.actions, *plan.waiting)
    assert len(plan.actions) <= scope.cap
    for action in chosen:
        one = action.snapshot
        assert one.kind is SnapshotKind.MANUAL
        assert one.is_available
        assert one.created_at
        assert not scope.instances or one.instance in scope.instances
        if action.deed is Deed.ADOPT:
            assert scope.adopts
            assert one.label is None
        else:
            assert one.label is not None
            assert not one.label.is_pinned
            assert one.label.expires is None or one.label.expires <= now
            assert (action.deed is Deed.ARCHIVE) == (one.label.tier is Tier.YEARLY)
    going = {one.snapshot.arn for one in chosen if one.deed is Deed.DELETE}
    for instance in {one.instance for one in snapshots}:
        good = [
            one for one in snapshots if one.instance == instance and one.is_available and one.created_at and one.label
        ]
        good = [one for one in good if one.kind is SnapshotKind.MANUAL and one.created_at and one.created_at <= now]
        newest = max(good, key=lambda one: (one.created_at, one.arn), default=None)
        assert newest is None or newest.arn not in going


@given(sets(), SCOPES, POLICIES, CLOCKS)
def test_run_again_and_again_it_comes_to_an_end_and_twice_is_once(
    snapshots: list[Snapshot], scope: Scope, policy: object, now: datetime
) -> None:
    hosted, scope = _in_memory(snapshots), replace(scope, cap=scope.cap + 1)
    touched: set[str] = set()
    for _ in range(2 * len(snapshots) + 1):
        found = clean(hosted, plan_clean(hosted, policy, scope, now))  # type: ignore[arg-type]
        assert not found.failed
        assert len(found.done) <= scope.cap
        touched |= {one.snapshot.arn for one in found.done}
    assert plan_clean(hosted, policy, scope, now).plan.actions == ()  # type: ignore[arg-type]
    untouched = {one.id: one for one in snapshots if one.arn not in touched}
    assert {id_: one for id_, one in hosted.kept.items() if id_ in untouched} == untouched
    all_at_once = _in_memory(snapshots)
    for _ in range(2):  # what is adopted is judged by the next run
        clean(all_at_once, plan_clean(all_at_once, policy, replace(scope, cap=1000), now))  # type: ignore[arg-type]
    assert all_at_once.kept == hosted.kept


def _story() -> list[Snapshot]:
    return [
        shot(1, 5, labelled(Tier.PRE_MIGRATION)),
        shot(2, 31, labelled(Tier.PRE_MIGRATION)),
        shot(3, 100, labelled(Tier.PRE_MIGRATION)),
        shot(4, 34, labelled(Tier.WEEKLY)),
        shot(5, 36, labelled(Tier.WEEKLY)),
        shot(6, 184, labelled(Tier.MONTHLY)),
        shot(7, 186, labelled(Tier.MONTHLY)),
        shot(8, 3000, labelled(Tier.YEARLY)),
        shot(9, 300, labelled(Tier.WEEKLY, is_pinned=True)),
        shot(10, 300, labelled(Tier.WEEKLY, expires=NOW + timedelta(days=1))),
        shot(11, 300, labelled(Tier.WEEKLY, expires=NOW - timedelta(days=1))),
        shot(12, 300, labelled(Tier.WEEKLY), status="failed"),
        shot(13, None, labelled(Tier.WEEKLY)),
        shot(14, 300, kind=SnapshotKind.AUTOMATED),
        shot(15, 300, id="weekly-15"),
        shot(16, 300, id="by-hand"),
        shot(17, 300, labelled(Tier.WEEKLY), instance="other"),
        shot(18, 300, labelled(Tier.WEEKLY)),
    ]


def test_each_decision_with_its_reason() -> None:
    exports = [Export("e1", "arn:aws:rds:r:1:snapshot:s-18", "IN_PROGRESS"), Export("e2", "arn:x", "COMPLETE")]
    plan = plan_cleaning(_story(), exports, POLICY, Scope(frozenset({"shop"})), NOW)
    assert [(one.deed, one.snapshot.id, one.reason) for one in plan.actions] == [
        (Deed.DELETE, "s-11", "its pin ended on 2026-11-27; not among the last 1; milestone weekly, over 30 days ago"),
        (Deed.DELETE, "s-7", "not among the last 1; milestone monthly, over 180 days ago"),
        (Deed.DELETE, "s-3", "not among the last 1; made before a migration, over 90 days ago"),
        (Deed.DELETE, "s-5", "not among the last 1; milestone weekly, over 30 days ago"),
    ]
    assert {one.candidate.id.rpartition(":")[2]: one.text for one in plan.decisions if one.keep} == {
        "s-1": "the newest backup; among the last 1; made before a migration, until 2027-02-21",
        "s-2": "made before a migration, until 2027-01-26",
        "s-4": "milestone weekly, until 2026-11-24",
        "s-6": "milestone monthly, until 2026-11-24",
        "s-8": "milestone yearly, for ever",
        "s-9": "pinned (its tag says so)",
        "s-10": "pinned (its tag names the day), until 2026-11-29",
        "s-18": "in use by the export e1",
    }
    assert {one.id: why for one, why in plan.outside} == {
        "s-12": "it is failed",
        "s-13": "nobody says when it was taken",
        "s-14": "it is automated, which is not ours to delete",
        "weekly-15": "only its name says that it is weekly; names are not looked at",
        "by-hand": "no tag says that handrail manages it",
        "s-17": "its instance other is not looked after",
    }


def test_a_name_is_adopted_first_and_judged_by_its_tags_later() -> None:
    hosted = _in_memory([shot(1, 2, labelled(Tier.WEEKLY)), shot(2, 40, id="weekly-2"), shot(3, 40, id="mine")])
    scope = Scope(adopts=True)
    first = clean(hosted, plan_clean(hosted, POLICY, scope, NOW))
    assert [(one.deed, one.snapshot.id, one.reason) for one in first.done] == [
        (Deed.ADOPT, "weekly-2", "its name says that it is weekly")
    ]
    assert hosted.kept["weekly-2"].label == Label("", tier=Tier.WEEKLY)
    second = clean(hosted, plan_clean(hosted, POLICY, scope, NOW))
    assert [(one.deed, one.snapshot.id) for one in second.done] == [(Deed.DELETE, "weekly-2")]
    assert sorted(hosted.kept) == ["mine", "s-1"]


def test_what_was_kept_for_years_is_marked_and_never_deleted() -> None:
    hosted = _in_memory([shot(1, 2, labelled(Tier.WEEKLY)), shot(2, 900, labelled(Tier.YEARLY))])
    policy = snapshot_policy(yearly=timedelta(days=730))
    done = clean(hosted, plan_clean(hosted, policy, Scope(), NOW)).done
    assert [(one.deed, one.snapshot.id) for one in done] == [(Deed.ARCHIVE, "s-2")]
    assert hosted.kept["s-2"].label == replace(labelled(Tier.YEARLY), is_to_be_archived=True)
    assert plan_clean(hosted, policy, Scope(), NOW).plan.actions == ()


def test_a_copy_that_is_being_made_keeps_its_source() -> None:
    source = shot(2, 300, labelled(Tier.WEEKLY))
    copy = shot(3, None, status="copying", copy_of=source.arn)
    plan = plan_cleaning([shot(1, 1, labelled(Tier.WEEKLY)), source, copy], (), POLICY, Scope(), NOW)
    assert plan.actions == ()
    assert plan.decisions[1].text == "in use by the copy s-3"


def test_a_name_that_was_used_before_is_another_instance() -> None:
    old = shot(1, 300, labelled(Tier.WEEKLY), resource_id="db-OLD")
    new = shot(2, 1, labelled(Tier.WEEKLY), resource_id="db-NEW")
    assert plan_cleaning([old, new], (), POLICY, Scope(), NOW).actions == ()


def _many(count: int) -> list[Snapshot]:
    return [shot(0, 0, labelled(Tier.WEEKLY)), *(shot(n, 100 + n, labelled(Tier.WEEKLY)) for n in range(1, count))]


def test_one_that_fails_stops_no_other_and_takes_no_place_under_the_cap() -> None:
    hosted = _in_memory(_many(5))
    hosted.broken["delete"] = SnapshotError("the snapshot s-4 could not be deleted", why="KMSKeyNotAccessibleFault")
    found = clean(hosted, plan_clean(hosted, POLICY, Scope(cap=2), NOW))
    assert [one.snapshot.id for one in found.done] == ["s-3", "s-2"]
    assert [(one.snapshot.id, why) for one, why in found.failed] == [
        ("s-4", "the snapshot s-4 could not be deleted: KMSKeyNotAccessibleFault")
    ]
    assert [one.snapshot.id for one in found.left] == ["s-1"]


def test_without_time_the_rest_is_left_for_the_next_run() -> None:
    hosted, time_left = _in_memory(_many(5)), iter([True, True, False])
    found = clean(hosted, plan_clean(hosted, POLICY, Scope(), NOW), may_go_on=lambda: next(time_left))
    assert [one.snapshot.id for one in found.done] == ["s-4", "s-3"]
    assert [one.snapshot.id for one in found.left] == ["s-2", "s-1"]
    again = clean(hosted, plan_clean(hosted, POLICY, Scope(), NOW))
    assert [one.snapshot.id for one in again.done] == ["s-2", "s-1"]


def test_what_another_run_has_deleted_is_done() -> None:
    hosted = _in_memory(_many(2))
    planned = plan_clean(hosted, POLICY, Scope(), NOW)
    del hosted.kept["s-1"]
    found = clean(hosted, planned)
    assert ([one.snapshot.id for one in found.done], found.failed) == (["s-1"], ())


def test_ten_thousand_are_planned_within_a_second() -> None:
    """The bound is about four times that, in yardsticks; docs/lambda.md has the figure."""
    many = [shot(n, n % 900, labelled(list(Tier)[n % 4]), instance=f"i{n % 20}") for n in range(10_000)]
    plan = plan_cleaning(many, (), POLICY, Scope(), NOW)
    assert cost(lambda: plan_cleaning(many, (), POLICY, Scope(), NOW)) < 80, "18 at the time of writing"
    assert len(plan.decisions) == 10_000
    assert Cleaned(plan).plan.actions
    assert isinstance(plan.actions[0], Action)
