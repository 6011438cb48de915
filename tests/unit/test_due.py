"""Which backups are due: by the clock on the wall, once for all that was missed, and never twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.methods import Method
from handrail.retention.candidate import SERVER, Candidate
from handrail.retention.decision import Rule
from handrail.retention.due import Due, Time, Timetable, due, last_time, next_due, next_time

BERLIN = ZoneInfo("Europe/Berlin")
HOURLY, DAILY = Time(Rule.HOURLY, 5), Time(Rule.DAILY, 30, 2)
WEEKLY = Time(Rule.WEEKLY, 0, 3, weekday=6)
MONTHLY, YEARLY = Time(Rule.MONTHLY, 0, 4, day=31), Time(Rule.YEARLY, 0, 4, day=29, month=2)
ALL = Timetable((HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY), BERLIN)


def at(text: str) -> datetime:
    """A moment of Berlin's clocks."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


NOW = at("2026-11-28 12:00")


@pytest.mark.parametrize(
    ("time", "last", "following"),
    [
        (HOURLY, "2026-11-28 11:05", "2026-11-28 12:05"),
        (DAILY, "2026-11-28 02:30", "2026-11-29 02:30"),
        (WEEKLY, "2026-11-22 03:00", "2026-11-29 03:00"),
        (MONTHLY, "2026-10-31 04:00", "2026-11-30 04:00"),
        (YEARLY, "2026-02-28 04:00", "2027-02-28 04:00"),
    ],
)
def test_the_times_around_a_moment(time: Time, last: str, following: str) -> None:
    assert (last_time(time, BERLIN, NOW), next_time(time, BERLIN, NOW)) == (at(last), at(following))
    assert last_time(time, BERLIN, at(last)) == at(last)


@pytest.mark.parametrize(
    ("now", "moment"),
    [
        ("2026-03-29T00:59:00+00:00", "2026-03-28T01:30:00+00:00"),
        # 2:30 is skipped: half an hour later than 2:00, where the clocks then show 3:30
        ("2026-03-29T01:31:00+00:00", "2026-03-29T01:30:00+00:00"),
        # 2:30 is shown twice: the first
        ("2026-10-25T00:31:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T01:31:00+00:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_when_the_clocks_change(now: str, moment: str) -> None:
    assert last_time(DAILY, BERLIN, datetime.fromisoformat(now)) == datetime.fromisoformat(moment)


def made(ago: timedelta, **more: bool) -> Candidate:
    return Candidate("b", NOW - ago, "db", is_verified=more.get("is_verified", True))


def tiers(candidates: list[Candidate], timetable: Timetable = ALL) -> list[Rule]:
    return [one.tier for one in due(candidates, timetable, "db", NOW)]


def test_everything_is_due_at_first() -> None:
    assert due([], Timetable((DAILY,), BERLIN), "db", NOW) == (Due(Rule.DAILY, at("2026-11-28 02:30")),)
    assert tiers([]) == [Rule.HOURLY, Rule.DAILY, Rule.WEEKLY, Rule.MONTHLY, Rule.YEARLY]


def test_a_backup_serves_every_tier_whose_time_it_is_after() -> None:
    assert tiers([made(timedelta(hours=2))]) == [Rule.HOURLY]
    assert tiers([made(timedelta(days=3))]) == [Rule.HOURLY, Rule.DAILY]
    assert tiers([made(timedelta(days=20))]) == [Rule.HOURLY, Rule.DAILY, Rule.WEEKLY]
    assert tiers([made(timedelta(minutes=5))]) == []


def test_what_serves_nothing() -> None:
    now = timedelta()
    others = [
        made(now, is_verified=False),
        replace(made(now), part="definitions and no rows"),
        replace(made(now), target="elsewhere"),
        made(-timedelta(days=400)),
    ]
    assert tiers(others) == tiers([])


def test_without_proofs_every_whole_backup_serves() -> None:
    unproven = replace(ALL, proven=False)
    assert tiers([made(timedelta(), is_verified=False)], unproven) == []
    assert tiers([replace(made(timedelta()), part="rows")], unproven) == tiers([])


def test_files_of_a_server_serve_where_such_are_asked_for() -> None:
    files = [replace(made(timedelta()), part=SERVER)]
    for method in (None, *Method):
        served = method in (Method.BASE, Method.INCREMENT)
        assert tiers(files, replace(ALL, method=method)) == ([] if served else tiers([]))
    assert tiers([made(timedelta())], replace(ALL, method=Method.BASE)) == []


def test_what_comes_next() -> None:
    assert next_due(ALL, NOW) == Due(Rule.HOURLY, at("2026-11-28 12:05"))
    at_once = Timetable((Time(Rule.DAILY, 0, 4), MONTHLY), BERLIN)
    assert next_due(at_once, at("2026-11-29 05:00")) == Due(Rule.MONTHLY, at("2026-11-30 04:00"))
    assert next_due(Timetable(()), NOW) is None


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"]).map(
    ZoneInfo
)
MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MINUTES, CLOCK = st.integers(0, 59), st.integers(0, 23)
TIMES = st.one_of(
    st.builds(Time, st.just(Rule.HOURLY), MINUTES),
    st.builds(Time, st.just(Rule.DAILY), MINUTES, CLOCK),
    st.builds(Time, st.just(Rule.WEEKLY), MINUTES, CLOCK, st.integers(0, 6)),
    st.builds(Time, st.just(Rule.MONTHLY), MINUTES, CLOCK, st.just(0), st.integers(1, 31)),
    st.builds(Time, st.just(Rule.YEARLY), MINUTES, CLOCK, st.just(0), st.integers(1, 31), st.integers(1, 12)),
)
LONGEST = {Rule.HOURLY: 1 / 12, Rule.DAILY: 2.1, Rule.WEEKLY: 8.1, Rule.MONTHLY: 32.1, Rule.YEARLY: 367.1}
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.just("b"),
        MOMENTS,
        st.sampled_from(["db", "elsewhere"]),
        is_verified=st.booleans(),
        part=st.sampled_from(["", "rows"]),
    ),
    max_size=5,
)


@given(TIMES, ZONES, MOMENTS)
def test_times_lie_close_around_a_moment(time: Time, zone: ZoneInfo, now: datetime) -> None:
    last, following = last_time(time, zone, now), next_time(time, zone, now)
    assert last <= now < following
    assert (following - last) <= timedelta(days=LONGEST[time.tier])


@given(st.lists(TIMES, max_size=4), ZONES, MOMENTS, CANDIDATES)
def test_one_backup_serves_all_that_is_due_until_the_next_time(
    times: list[Time], zone: ZoneInfo, now: datetime, candidates: list[Candidate]
) -> None:
    timetable = Timetable(tuple(times), zone)
    there = [*candidates, Candidate("new", now, "db", is_verified=True)]
    assert due(there, timetable, "db", now) == ()
    following = next_due(timetable, now)
    if following is not None and following.since.year < 2035:
        before = following.since - timedelta(microseconds=1)
        assert due(there, timetable, "db", before) == ()
        past = [one for one in there if one.created_at <= now]
        assert following.tier in {one.tier for one in due(past, timetable, "db", following.since)}


@given(st.lists(TIMES, max_size=4), ZONES, MOMENTS, CANDIDATES)
def test_a_clock_that_was_ahead_keeps_nothing_from_being_made(
    times: list[Time], zone: ZoneInfo, now: datetime, candidates: list[Candidate]
) -> None:
    timetable = Timetable(tuple(times), zone)
    past = [one for one in candidates if one.created_at <= now]
    assert due(candidates, timetable, "db", now) == due(past, timetable, "db", now)
    assert set(due(past, timetable, "db", now)) <= set(due([], timetable, "db", now))
