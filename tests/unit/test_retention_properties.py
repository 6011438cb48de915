"""The retention policy against a slow oracle that is written otherwise, and what holds for every policy."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from handrail.retention.candidate import Candidate, Pin
from handrail.retention.decision import TIERS, Decision, Rule
from handrail.retention.policy import FOREVER, Guarded, RetentionPolicy, apply_policy, way_back

#: Clocks that change by an hour, by half an hour, at midnight, by a whole day, never.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "America/Havana",
        "Pacific/Apia",
        "Asia/Seoul",
    )
]
#: Moments near changes of those clocks.
NOWS = [
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    datetime(2026, 4, 4, 15, 30, tzinfo=UTC),
    datetime(2010, 11, 7, 2, 31, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 10, tzinfo=UTC),
    datetime(2011, 12, 31, 9, 0, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
]
FORMS = {
    Rule.HOURLY: "%Y-%m-%d %H %z",
    Rule.DAILY: "%Y-%m-%d",
    Rule.WEEKLY: "%G week %V",
    Rule.MONTHLY: "%Y-%m",
    Rule.YEARLY: "%Y",
}
MILESTONES = ("release", "month-end", "quarter-end", "year-end")
minutes = st.one_of(st.integers(-90, 5_000), st.integers(-10, 180).map(lambda n: n * 60), st.integers(0, 1_500_000))
durations = st.one_of(st.just(timedelta()), st.integers(1, 900).map(lambda hours: timedelta(hours=hours)))


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> list[Candidate]:
    """Backups of two databases and of parts, some at the same moment, some after `now`."""
    ages = draw(st.lists(minutes, max_size=12))
    return [
        Candidate(
            id=f"b{place}",
            created_at=now - timedelta(minutes=age),
            target=draw(st.sampled_from(["app", "app", "other"])),
            part=draw(st.sampled_from(["", "", "some rows"])),
            revisions=(draw(st.sampled_from(["a1", "b2"])),),
            is_verified=draw(st.booleans()),
            is_pre_migration=draw(st.booleans()),
            milestones=frozenset(draw(st.sets(st.sampled_from(["release", "audit"]), max_size=1))),
        )
        for place, age in enumerate(ages)
    ]


@st.composite
def policies(draw: st.DrawFn) -> RetentionPolicy:
    count = st.one_of(st.just(0), st.integers(0, 5))
    return RetentionPolicy(
        last=draw(count),
        hourly=draw(count),
        daily=draw(count),
        weekly=draw(count),
        monthly=draw(count),
        yearly=draw(count),
        within=draw(durations),
        pre_migration=draw(durations),
        milestones=tuple((name, draw(st.one_of(durations, st.just(FOREVER)))) for name in MILESTONES),
        minimum_verified=draw(st.integers(0, 3)),
        zone=draw(st.sampled_from(ZONES)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Candidate], RetentionPolicy, datetime]:
    now = draw(st.sampled_from(NOWS))
    return draw(histories(now)), draw(policies()), now


def kept(decisions: tuple[Decision, ...]) -> set[str]:
    return {one.candidate.id for one in decisions if one.keep}


def oracle(candidates: list[Candidate], policy: RetentionPolicy, now: datetime) -> set[str]:
    """What is kept when nothing is guarded by hand: period by period, in plain loops."""
    found = {one.id for one in candidates if one.created_at > now}
    for target, part in {(one.target, one.part) for one in candidates}:
        group = [one for one in candidates if one.target == target and one.part == part]
        mine = [one for one in group if one.created_at <= now]
        if policy.is_empty:
            found |= {one.id for one in mine}
        elif mine:
            found |= oracle_of_one(mine, policy)
    return found


def newest(group: list[Candidate], number: int) -> set[str]:
    found: set[str] = set()
    left = list(group)
    while left and len(found) < number:
        best = left[0]
        for one in left:
            if (one.created_at, one.id) > (best.created_at, best.id):
                best = one
        left.remove(best)
        found.add(best.id)
    return found


def by_period(mine: list[Candidate], policy: RetentionPolicy, form: str) -> list[Candidate]:
    """The newest of each period."""
    buckets: dict[str, list[Candidate]] = defaultdict(list)
    for one in mine:
        buckets[one.created_at.astimezone(policy.zone).strftime(form)].append(one)
    return [one for bucket in buckets.values() for one in bucket if one.id in newest(bucket, 1)]


def oracle_of_one(mine: list[Candidate], policy: RetentionPolicy) -> set[str]:
    found = newest(mine, max(1, policy.last))
    found |= newest([one for one in mine if one.is_verified], max(1, policy.minimum_verified))
    counts = (policy.hourly, policy.daily, policy.weekly, policy.monthly, policy.yearly)
    for form, number in zip(FORMS.values(), counts, strict=True):
        found |= newest(by_period(mine, policy, form), number)
    latest = max(one.created_at for one in mine)
    limits = dict(policy.milestones)
    for one in mine:
        age = latest - one.created_at
        if policy.within and age <= policy.within:
            found.add(one.id)
        if one.is_pre_migration and policy.pre_migration and age <= policy.pre_migration:
            found.add(one.id)
        if any(name not in limits or age <= limits[name] for name in one.milestones):
            found.add(one.id)
    for name, group in ends(mine, policy):
        found |= {one.id for one in group if latest - one.created_at <= limits[name]}
    return found


def ends(mine: list[Candidate], policy: RetentionPolicy) -> list[tuple[str, list[Candidate]]]:
    """The newest of each month, quarter and year, by the name of the milestone."""
    quarters: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for one in mine:
        local = one.created_at.astimezone(policy.zone)
        quarters[(local.year, (local.month + 2) // 3)].append(one)
    quarterly = [one for bucket in quarters.values() for one in bucket if one.id in newest(bucket, 1)]
    return [
        ("month-end", by_period(mine, policy, "%Y-%m")),
        ("quarter-end", quarterly),
        ("year-end", by_period(mine, policy, "%Y")),
    ]


@given(cases())
def test_the_policy_keeps_what_the_oracle_keeps(case: tuple[list[Candidate], RetentionPolicy, datetime]) -> None:
    """With reasons that say so, newest first."""
    candidates, policy, now = case
    decisions = apply_policy(candidates, policy, now)
    assert kept(decisions) == oracle(candidates, policy, now)
    newest_first = sorted(candidates, key=lambda one: (one.created_at, one.id), reverse=True)
    assert [one.candidate for one in decisions] == newest_first
    for one in decisions:
        assert {reason.keeps for reason in one.reasons} == {one.keep}
        assert all(reason.text and "{" not in reason.text for reason in one.reasons)
        assert one.tier is None or (one.keep and one.tier in TIERS)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(
    case: tuple[list[Candidate], RetentionPolicy, datetime], chance: random.Random
) -> None:
    candidates, policy, now = case
    shuffled = list(candidates)
    chance.shuffle(shuffled)
    assert apply_policy(shuffled, policy, now) == apply_policy(candidates, policy, now)


@given(cases())
def test_pruning_twice_is_pruning_once(case: tuple[list[Candidate], RetentionPolicy, datetime]) -> None:
    candidates, policy, now = case
    left = [one.candidate for one in apply_policy(candidates, policy, now) if one.keep]
    assert all(one.keep for one in apply_policy(left, policy, now))


@given(cases(), st.lists(st.integers(0, 1_500_000), max_size=4))
def test_pruning_often_is_pruning_once(
    case: tuple[list[Candidate], RetentionPolicy, datetime], before: list[int]
) -> None:
    candidates, policy, now = case
    there: dict[str, Candidate] = {}
    waiting = list(candidates)
    for moment in [*(now - timedelta(minutes=minute) for minute in sorted(before, reverse=True)), now]:
        there |= {one.id: one for one in waiting if one.created_at <= moment or moment == now}
        waiting = [one for one in waiting if one.id not in there]
        left = kept(apply_policy(there.values(), policy, moment))
        there = {id_: one for id_, one in there.items() if id_ in left}
    assert set(there) == kept(apply_policy(candidates, policy, now))


@given(cases(), st.data())
def test_a_laxer_policy_keeps_all_that_a_stricter_one_keeps(
    case: tuple[list[Candidate], RetentionPolicy, datetime], data: st.DataObject
) -> None:
    candidates, policy, now = case
    more = st.just(0) if policy.is_empty else st.integers(0, 3)  # nothing is laxer than to keep everything
    laxer = replace(
        policy,
        last=policy.last + data.draw(more),
        hourly=policy.hourly + data.draw(more),
        daily=policy.daily + data.draw(more),
        weekly=policy.weekly + data.draw(more),
        monthly=policy.monthly + data.draw(more),
        yearly=policy.yearly + data.draw(more),
        minimum_verified=policy.minimum_verified + data.draw(more),
        within=policy.within + data.draw(durations) if not policy.is_empty else policy.within,
        pre_migration=policy.pre_migration + data.draw(durations),
        milestones=tuple(
            (name, limit if limit == FOREVER else limit + data.draw(durations)) for name, limit in policy.milestones
        ),
    )
    assert kept(apply_policy(candidates, policy, now)) <= kept(apply_policy(candidates, laxer, now))


@given(cases(), st.data())
def test_what_is_never_deleted(case: tuple[list[Candidate], RetentionPolicy, datetime], data: st.DataObject) -> None:
    candidates, policy, now = case
    ids = [one.id for one in candidates]
    some = st.dictionaries(st.sampled_from(ids), st.just("run x")) if ids else st.just({})
    needs = st.dictionaries(st.sampled_from(ids), st.lists(st.sampled_from(ids), max_size=2).map(tuple))
    pins = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    pinned = [replace(one, pins=(Pin("audit"),)) if one.id in pins else one for one in candidates]
    behind = way_back(pinned, "app", ("b2",), now)
    guarded = Guarded(
        in_use=data.draw(some),
        not_understood=data.draw(some),
        needs=data.draw(needs) if ids else {},
        way_back=behind,
        target=data.draw(st.sampled_from(["", "app"])),
    )
    found = kept(apply_policy(pinned, policy, now, guarded))
    assert found >= pins | behind | set(guarded.in_use) | set(guarded.not_understood)
    assert found >= {one.id for one in candidates if one.created_at > now}
    for target, part in itertools.product(("app", "other"), ("", "some rows")):
        group = [one for one in candidates if one.target == target and one.part == part]
        present = [one for one in group if one.created_at <= now]
        assert found >= newest(present, 1) | newest([one for one in present if one.is_verified], 1)
        if guarded.target and target != guarded.target:
            assert found >= {one.id for one in present}
    assert found >= {parent for child in found for parent in guarded.needs.get(child, ())}
    whole = [one for one in candidates if one.target == "app" and not one.part]
    left = [one for one in whole if one.created_at <= now and one.revisions != ("b2",)]
    assert behind == newest(left, 1) | newest([one for one in left if one.is_verified], 1)


@given(cases(), st.lists(st.floats(0, 0.999), max_size=12))
def test_no_reason_ends_before_its_date(
    case: tuple[list[Candidate], RetentionPolicy, datetime], shares: list[float]
) -> None:
    """However many backups are made until then, but for those of a period that still runs."""
    candidates, policy, now = case
    present = [replace(one, target="app", part="") for one in candidates if one.created_at <= now]
    for decision in apply_policy(present, policy, now):
        for reason in (one for one in decision.reasons if one.until and one.until > now and one.at is None):
            assert reason.until is not None
            time = reason.until - now
            made = [Candidate(f"n{n}", now + share * time, "app") for n, share in enumerate(shares)]
            latest = max([now, *(one.created_at for one in made)])
            again = apply_policy([*present, *made], policy, latest)
            same = next(one for one in again if one.candidate.id == decision.candidate.id)
            rules = {one.rule for one in same.reasons if one.keeps}
            assert reason.rule in rules, f"{reason} ended by {latest}"
