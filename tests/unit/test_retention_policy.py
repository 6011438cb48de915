"""The retention policy by example: who is kept, the words for it, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from handrail.facts import TableName
from handrail.retention.candidate import Candidate, Pin, candidate_of
from handrail.retention.decision import Rule
from handrail.retention.periods import Span, latest, name_of, period_of, start_after
from handrail.retention.policy import FOREVER, Guarded, RetentionPolicy, apply_policy, duration_text, way_back
from unit.test_manifest import FAILED, PROOF, RECORD

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, id_: str = "", *, verified: bool = False, before: bool = False) -> Candidate:
    """A backup of that moment, in UTC; its id is the moment too, where none is given."""
    made = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return Candidate(id_ or text, made, "app", is_verified=verified, is_pre_migration=before)


def told(candidates: list[Candidate], policy: RetentionPolicy, guarded: Guarded | None = None) -> dict[str, str]:
    """Each backup with "keep: " or "delete: " and every reason."""
    decisions = apply_policy(candidates, policy, NOW, guarded or Guarded())
    return {one.candidate.id: f"{'keep' if one.keep else 'delete'}: {one.text}" for one in decisions}


def test_every_rule_says_why_it_keeps_or_not() -> None:
    policy = RetentionPolicy(
        last=1, hourly=1, daily=2, weekly=2, monthly=2, yearly=1, within=DAY, pre_migration=3 * DAY
    )
    candidates = [
        at("2026-11-28 11:50"),
        at("2026-11-28 11:10"),
        at("2026-11-27 23:00", verified=True),
        at("2026-11-26 08:00", before=True),
        at("2026-11-25 08:00", before=True),
        at("2026-10-31 08:00"),
        at("2026-10-30 08:00"),
    ]
    assert told(candidates, policy) == {
        "2026-11-28 11:50": "keep: the newest backup; among the last 1; hourly"
        " until 2026-11-28 12:00; daily (so far the newest of 2026-11-28) until 2026-11-30;"
        " weekly (so far the newest of 2026-W48) until 2026-12-07; monthly (so far the newest of 2026-11) until"
        " 2027-01-01; yearly (so far the newest of 2026) until 2027-01-01; made within 1 day, until 2026-11-29",
        "2026-11-28 11:10": "keep: made within 1 day, until 2026-11-29",
        "2026-11-27 23:00": "keep: the last one that was proven to restore; daily until 2026-11-29;"
        " made within 1 day, until 2026-11-28",
        "2026-11-26 08:00": "keep: made before a migration, until 2026-11-29",
        "2026-11-25 08:00": "delete: not among the last 1; hourly: 2026-11-25 08:00 is not among the last 1;"
        " daily: 2026-11-25 is not among the last 2; weekly: 2026-11-28 11:50 is kept for 2026-W48;"
        " monthly: 2026-11-28 11:50 is kept for 2026-11; yearly: 2026-11-28 11:50 is kept for 2026;"
        " not made within 1 day; made before a migration, over 3 days ago",
        "2026-10-31 08:00": "keep: weekly until 2026-11-30; monthly until 2026-12-01",
        "2026-10-30 08:00": "delete: not among the last 1; hourly: 2026-10-30 08:00 is not among the last 1;"
        " daily: 2026-10-30 is not among the last 2; weekly: 2026-10-31 08:00 is kept for 2026-W44;"
        " monthly: 2026-10-31 08:00 is kept for 2026-10; yearly: 2026-11-28 11:50 is kept for 2026;"
        " not made within 1 day",
    }


def test_what_holds_whatever_the_policy_says() -> None:
    old = [at(f"2026-01-0{n} 08:00", f"old{n}") for n in range(1, 9)]
    old[0] = replace(old[0], pins=(Pin("audit 2025"), Pin(until=NOW + DAY)))
    old[1] = replace(old[1], is_verified=True)
    old[7] = replace(old[7], target="other", pins=(Pin("gone", NOW - DAY),))
    strict = RetentionPolicy(last=1)
    guarded = Guarded(
        in_use={"old3": "the run 2026_1"},
        not_understood={"old4": "mark-1.json was written by another handrail"},
        needs={"old4": ("old5",), "old5": ("old6",), "old7": ("old1",)},
        way_back=frozenset({"old2"}),
        live="b2",
        target="app",
    )
    candidates = [*old, at("2026-11-28 11:50", "new"), at("2026-12-01 11:50", "ahead")]
    assert told(candidates, strict, guarded) == {
        "ahead": "keep: made in the future, at 2026-12-01 11:50: a clock is wrong",
        "new": "keep: the newest backup; among the last 1",
        "old8": "keep: the newest backup; of another database, other; among the last 1",
        "old7": "delete: not among the last 1",
        "old6": "keep: old5 cannot be restored without it",
        "old5": "keep: old4 cannot be restored without it",
        "old4": "keep: not understood: mark-1.json was written by another handrail",
        "old3": "keep: in use by the run 2026_1",
        "old2": "keep: the last one that was proven to restore; the way back from b2",
        "old1": "keep: pinned (audit 2025); pinned, until 2026-11-29",
    }


def test_what_a_kept_one_needs_stays_though_a_tier_would_take_it_for_the_same() -> None:
    candidates = [at("2026-11-27 11:50", "child"), at("2026-11-27 08:00", "parent")]
    assert told(candidates, RetentionPolicy(daily=1), Guarded(needs={"child": ("parent",)})) == {
        "child": "keep: the newest backup; daily until 2026-11-28",
        "parent": "keep: child cannot be restored without it",
    }


def test_an_ended_pin_is_told_with_the_deletion() -> None:
    old = replace(at("2026-01-01 08:00", "old"), pins=(Pin("audit", NOW),))
    assert told([old, at("2026-11-28 11:50", "new")], RetentionPolicy(last=1)) == {
        "new": "keep: the newest backup; among the last 1",
        "old": "delete: its pin ended on 2026-11-28; not among the last 1",
    }


def test_milestones_by_name_and_by_the_calendar() -> None:
    limits = (("release", 40 * DAY), ("legal", FOREVER), ("month-end", 90 * DAY), ("quarter-end", 365 * DAY))
    policy = RetentionPolicy(last=1, milestones=limits)
    candidates = [
        at("2026-11-28 11:50", "new"),
        replace(at("2026-10-30 08:00", "release"), milestones=frozenset({"release"})),
        replace(at("2026-10-01 08:00", "past"), milestones=frozenset({"release"})),
        at("2026-09-30 08:00", "quarter"),
        replace(at("2020-01-01 08:00", "legal"), milestones=frozenset({"legal"})),
        replace(at("2019-01-01 08:00", "audit"), milestones=frozenset({"audit"})),
        at("2018-12-30 08:00", "end"),
    ]
    assert told(candidates, policy) == {
        "new": "keep: the newest backup; among the last 1; milestone month-end 2026-11, until 2027-02-26;"
        " milestone quarter-end 2026-Q4, until 2027-11-28",
        "release": "keep: milestone release, until 2026-12-09; milestone month-end 2026-10, until 2027-01-28",
        "past": "delete: not among the last 1; milestone release, over 40 days ago",
        "quarter": "keep: milestone month-end 2026-09, until 2026-12-29; milestone quarter-end 2026-Q3, until 2027-09-30",
        "legal": "keep: milestone legal, for ever",
        "audit": "keep: milestone audit, for which the policy names no time",
        "end": "delete: not among the last 1; milestone month-end 2018-12, over 90 days ago;"
        " milestone quarter-end 2018-Q4, over 365 days ago",
    }


def test_a_number_of_verified_copies() -> None:
    candidates = [at(f"2026-11-0{n} 08:00", f"b{n}", verified=n < 4) for n in range(1, 6)]
    assert told(candidates, RetentionPolicy(last=1, minimum_verified=2)) == {
        "b5": "keep: the newest backup; among the last 1",
        "b4": "delete: not among the last 1",
        "b3": "keep: the last one that was proven to restore; among the last 2 that were proven to restore",
        "b2": "keep: among the last 2 that were proven to restore",
        "b1": "delete: not among the last 1",
    }


def test_an_empty_policy_deletes_nothing() -> None:
    candidates = [at("2001-01-01 08:00", "old"), at("2026-11-28 11:50", "new")]
    assert told(candidates, RetentionPolicy()) == {
        "new": "keep: the newest backup; no policy says what may go",
        "old": "keep: no policy says what may go",
    }
    assert told([], RetentionPolicy(last=1)) == {}


def test_backups_that_stopped_and_a_clock_that_is_ahead_take_nothing_away() -> None:
    policy = RetentionPolicy(within=7 * DAY, daily=3)
    candidates = [at(f"2026-11-{day} 08:00") for day in range(10, 28)]
    now_kept = [one for one in apply_policy(candidates, policy, NOW) if one.keep]
    later_kept = [one for one in apply_policy(candidates, policy, NOW + 9999 * DAY) if one.keep]
    assert [one.candidate.id[:10] for one in now_kept] == [f"2026-11-{day}" for day in range(27, 19, -1)]
    assert [one.candidate for one in later_kept] == [one.candidate for one in now_kept]


def test_the_slowest_tier_and_the_last_date_are_the_decisions() -> None:
    policy = RetentionPolicy(daily=3, monthly=2, within=DAY)
    candidates = [at("2026-11-28 11:50", "new"), at("2026-11-27 08:00", "day"), at("2026-10-27 08:00", "month")]
    decisions = apply_policy(candidates, policy, NOW)
    assert [(one.candidate.id, one.tier, one.until) for one in decisions] == [
        ("new", Rule.MONTHLY, datetime(2027, 1, 1, tzinfo=UTC)),
        ("day", Rule.DAILY, datetime(2026, 11, 30, tzinfo=UTC)),
        ("month", Rule.MONTHLY, datetime(2026, 12, 1, tzinfo=UTC)),
    ]
    pinned = replace(candidates[1], pins=(Pin(),))
    (forever,) = (one for one in apply_policy([candidates[0], pinned], policy, NOW) if one.candidate.id == "day")
    assert (forever.until, forever.tier) == (None, Rule.DAILY)


def test_a_day_is_one_of_the_policys_time_zone() -> None:
    """22:30 UTC is 23:30 in Berlin, 23:30 UTC is the next day there."""
    candidates = [at("2026-11-26 22:30", "a"), at("2026-11-26 23:30", "b"), at("2026-11-27 10:00", "c")]
    kept = {
        zone: [
            one.candidate.id for one in apply_policy(candidates, RetentionPolicy(daily=2, zone=zone), NOW) if one.keep
        ]
        for zone in (UTC, BERLIN)
    }
    assert kept == {UTC: ["c", "b"], BERLIN: ["c", "a"]}


def test_the_hour_that_the_clocks_show_twice_is_two() -> None:
    night = [at(f"2026-10-25 0{hour}:{minute}") for hour in (0, 1) for minute in ("05", "55")]
    policy = RetentionPolicy(hourly=9, zone=BERLIN)
    kept = [one.candidate.id for one in apply_policy(night, policy, NOW) if one.keep]
    assert kept == ["2026-10-25 01:55", "2026-10-25 00:55"]  # both are 02:55 in Berlin


@pytest.mark.parametrize(
    ("zone", "local", "span", "number", "expected"),
    [
        ("Europe/Berlin", "2026-10-25 00:30", Span.DAY, 1, "2026-10-26 00:00+01:00"),
        ("Europe/Berlin", "2026-10-25 00:30", Span.HOUR, 3, "2026-10-25 02:00+01:00"),
        ("Europe/Berlin", "2026-03-29 01:30", Span.HOUR, 1, "2026-03-29 03:00+02:00"),
        ("Australia/Lord_Howe", "2026-04-05 00:30", Span.HOUR, 2, "2026-04-05 01:00+11:00"),
        ("America/Havana", "2026-03-07 12:00", Span.DAY, 1, "2026-03-08 00:00-05:00"),
        ("Pacific/Apia", "2011-12-29 12:00", Span.DAY, 2, "2011-12-31 00:00+14:00"),
        ("UTC", "2026-11-28 12:00", Span.WEEK, 0, "2026-11-23 00:00+00:00"),
        ("UTC", "2026-11-28 12:00", Span.WEEK, 6, "2027-01-04 00:00+00:00"),
        ("UTC", "2026-11-28 12:00", Span.MONTH, 14, "2028-01-01 00:00+00:00"),
        ("UTC", "2026-11-28 12:00", Span.QUARTER, 1, "2027-01-01 00:00+00:00"),
        ("UTC", "2026-11-28 12:00", Span.YEAR, 2, "2028-01-01 00:00+00:00"),
    ],
)
def test_when_a_later_period_begins(zone: str, local: str, span: Span, number: int, expected: str) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    begun = start_after(moment, span, number, ZoneInfo(zone))
    assert begun is not None
    assert begun.isoformat(" ", "minutes") == expected


def test_beyond_the_years_there_is_no_date() -> None:
    assert start_after(NOW, Span.YEAR, 9000, UTC) is None
    assert start_after(NOW, Span.DAY, 10**9, UTC) is None
    (only,) = apply_policy([at("2026-11-28 11:50")], RetentionPolicy(yearly=9000, within=timedelta(days=10**7)), NOW)
    assert [(one.rule, one.until) for one in only.reasons] == [
        (Rule.NEWEST, None),
        (Rule.YEARLY, None),
        (Rule.WITHIN, None),
    ]


def test_periods_and_their_names() -> None:
    moment = datetime(2027, 1, 1, 3, 20, tzinfo=BERLIN)
    assert {span.value: (period_of(moment, span), name_of(moment, span)) for span in Span} == {
        "hour": ((739982, 3, 3600), "2027-01-01 03:00"),
        "day": ((739982,), "2027-01-01"),
        "week": ((2026, 53), "2026-W53"),
        "month": ((2027, 1), "2027-01"),
        "quarter": ((2027, 0), "2027-Q1"),
        "year": ((2027,), "2027"),
    }


def test_the_way_back_is_of_another_revision() -> None:
    made = [
        replace(at("2026-11-01 08:00", "a", verified=True), revisions=("a1",)),
        replace(at("2026-11-02 08:00", "b"), revisions=("a1",)),
        replace(at("2026-11-03 08:00", "c", verified=True), revisions=("b2",)),
        replace(at("2026-12-03 08:00", "ahead"), revisions=("a1",)),
        replace(at("2026-11-04 08:00", "other"), revisions=("a1",), target="other"),
        replace(at("2026-11-05 08:00", "part", verified=True), revisions=("a1",), part="the rows of bookings only"),
    ]
    assert way_back(made, "app", ("b2",), NOW) == {"a", "b"}
    assert way_back(made, "app", ("a1",), NOW) == {"c"}
    assert way_back([], "app", ("a1",), NOW) == frozenset()


def test_durations_in_words() -> None:
    given = (36 * DAY / 24, DAY, 90 * DAY, FOREVER)
    assert [duration_text(one) for one in given] == ["36 hours", "1 day", "90 days", "for ever"]


def test_a_record_is_seen_as_a_candidate() -> None:
    assert candidate_of(replace(RECORD, verifications=(PROOF,))) == Candidate(
        id="20260218_030000_9f3a2c",
        created_at=RECORD.created_at,
        target="postgresql://app@db/app",
        size=4711,
        revisions=("c3a1", "d4b2"),
        is_verified=True,
        is_pre_migration=True,
    )
    assert candidate_of(replace(RECORD, reason="by hand")).is_pre_migration is False
    parts = [{"schema_only": True}, {"tables": (TableName("bookings"),)}, {"format": "pg_basebackup-tar"}, {}]
    assert [candidate_of(replace(RECORD, **part)).part for part in parts] == [  # type: ignore[arg-type]
        "definitions and no rows",
        "the rows of bookings only",
        "the files of a whole server",
        "",
    ]


def test_a_backup_that_failed_its_last_verification_does_not_count_as_verified() -> None:
    later = replace(FAILED, at=PROOF.at + DAY)
    earlier = replace(FAILED, at=PROOF.at - DAY)
    found = [candidate_of(replace(RECORD, verifications=given)) for given in ((later, PROOF), (PROOF, earlier), ())]
    assert [one.is_verified for one in found] == [False, True, False]


def test_the_last_moment_where_clocks_show_an_hour_twice() -> None:
    first = datetime(2026, 10, 25, 2, 50, tzinfo=BERLIN)
    second = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=BERLIN)
    found = latest([first, second])
    assert (found, found and found.fold, latest([])) == (second, 1, None)
