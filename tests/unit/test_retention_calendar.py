"""What will be there and what it costs: a simulation that prunes as apply_policy decides, and robust growth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from handrail.retention.calendar import Moment, Schedule, coming, moments_of, usual_interval
from handrail.retention.candidate import Candidate
from handrail.retention.cost import Forecast, Held, Price, forecast
from handrail.retention.decision import Rule
from handrail.retention.growth import Growth, growth_of
from handrail.retention.periods import Span
from handrail.retention.policy import Guarded, RetentionPolicy, apply_policy

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FLAT = Growth(NOW, 1000.0)


def daily(number: int, size: int = 1000) -> list[Candidate]:
    """One a day at 03:00, the newest today."""
    newest = NOW.replace(hour=3)
    return [Candidate(f"d{n}", newest - n * DAY, "app", size, is_verified=True) for n in range(number)]


def test_each_day_shows_what_a_prune_would_leave() -> None:
    policy = RetentionPolicy(daily=2, weekly=2)
    days = list(coming(daily(4), policy, Schedule(DAY, FLAT, "app"), moments_of(NOW, Span.DAY, 4, policy), now=NOW))
    assert [(f"{day.at:%a %d}", [one.candidate.id for one in day.kept]) for day in days] == [
        ("Sun 29", ["d0", "d1"]),
        ("Mon 30", ["planned-1", "d0"]),
        ("Tue 01", ["planned-2", "planned-1"]),
        ("Wed 02", ["planned-3", "planned-2", "planned-1"]),
    ]
    assert [day.size for day in days] == [2000, 2000, 2000, 3000]
    assert days[-1].tiers == ((Rule.DAILY, 2), (Rule.WEEKLY, 2))
    assert days[-1].oldest == datetime(2026, 11, 29, 3, tzinfo=UTC)


@given(
    every=st.integers(5, 60).map(lambda hours: hours * HOUR),
    ages=st.lists(st.integers(0, 2000), max_size=8),
    last=st.integers(0, 3),
    days=st.integers(0, 4),
    weeks=st.integers(0, 3),
)
def test_looking_every_day_is_simulating_every_backup(
    every: timedelta, ages: list[int], last: int, days: int, weeks: int
) -> None:
    """Against a naive one that prunes after every single backup."""
    policy = RetentionPolicy(last=last, daily=days, weekly=weeks, zone=ZoneInfo("Europe/Berlin"))
    there = [Candidate(f"b{n}", NOW - age * HOUR, "app") for n, age in enumerate(ages)]
    moments = moments_of(NOW, Span.DAY, 5, policy)
    shown = list(coming(there, policy, Schedule(every, FLAT, "app"), moments, now=NOW))
    at = max(max((one.created_at for one in there), default=NOW) + every, NOW)
    number = 1
    for moment in shown:
        while at <= moment.at:
            there.append(Candidate(f"planned-{number}", at, "app", 1000, is_verified=True))
            there = [one.candidate for one in apply_policy(there, policy, at) if one.keep]
            at, number = at + every, number + 1
        assert moment == Moment(moment.at, tuple(one for one in apply_policy(there, policy, moment.at) if one.keep))
        there = [one.candidate for one in moment.kept]


def test_what_is_guarded_stays() -> None:
    policy = RetentionPolicy(last=1)
    guarded = Guarded(way_back=frozenset({"d3"}), live="b2")
    (week,) = coming(daily(4), policy, Schedule(DAY, FLAT, "app"), [NOW + 7 * DAY], guarded, now=NOW)
    assert [one.candidate.id for one in week.kept] == ["planned-7", "d3"]


def test_a_backup_that_is_due_comes_first() -> None:
    policy = RetentionPolicy(last=2)
    old = [Candidate("old", NOW - 30 * DAY, "app"), Candidate("ahead", NOW + 2 * HOUR, "app")]
    (hour,) = coming(old, policy, Schedule(DAY, FLAT, "app"), [NOW + HOUR], now=NOW)
    assert [(one.candidate.id, one.candidate.created_at) for one in hour.kept] == [
        ("ahead", NOW + 2 * HOUR),
        ("planned-1", NOW),
        ("old", NOW - 30 * DAY),
    ]


def test_the_moments_are_beginnings_in_the_policys_time_zone() -> None:
    policy = RetentionPolicy(zone=ZoneInfo("Asia/Seoul"))
    found = {span: moments_of(NOW, span, 33, policy) for span in (Span.DAY, Span.WEEK, Span.MONTH)}
    assert {span: (len(one), f"{one[0]:%Y-%m-%d %H:%M %z}") for span, one in found.items()} == {
        Span.DAY: (33, "2026-11-29 00:00 +0900"),
        Span.WEEK: (5, "2026-11-30 00:00 +0900"),
        Span.MONTH: (1, "2026-12-01 00:00 +0900"),
    }
    assert moments_of(NOW, Span.YEAR, 3, policy) == ()


def test_how_often_backups_were_made() -> None:
    made = [*daily(5), Candidate("late", NOW.replace(hour=9), "app"), Candidate("ahead", NOW + 9 * DAY, "app")]
    assert usual_interval(made, "app", NOW) == DAY
    assert usual_interval(made, "other", NOW) is None
    assert usual_interval(daily(1), "app", NOW) is None


def test_one_odd_backup_does_not_bend_the_line() -> None:
    growing = [replace(one, size=10_000 - 100 * n) for n, one in enumerate(daily(30))]
    odd = [replace(growing[3], size=10**9), *growing[:3], *growing[4:]]
    line = growth_of(odd, NOW)
    assert round(line.per_day) == 100
    assert line.size_at(NOW + 30 * DAY) - line.size_at(NOW) == 3000
    assert abs(line.size_at(NOW) - 10_037) < 20  # the newest is of 03:00, nine hours ago


def test_growth_of_few_backups() -> None:
    assert growth_of([], NOW) == Growth(NOW, 0.0, 0.0)
    assert growth_of(daily(1), NOW) == Growth(NOW, 1000.0, 0.0)
    assert growth_of([*daily(1), Candidate("ahead", NOW + DAY, size=9)], NOW) == Growth(NOW, 1000.0, 0.0)
    assert Growth(NOW, 1000.0, -100.0).size_at(NOW + 365 * DAY) == 0


@given(st.integers(101, 400))
def test_of_many_backups_some_are_taken(number: int) -> None:
    growing = [replace(one, size=100_000 - 100 * n) for n, one in enumerate(daily(number))]
    assert round(growth_of(growing, NOW).per_day, 6) == 100


def test_what_is_held_later() -> None:
    policy = RetentionPolicy(daily=7, monthly=12)
    schedule = Schedule(DAY, Growth(NOW, 1000.0, 10.0), "app")
    found = forecast(daily(20), policy, schedule, now=NOW)
    assert found == Forecast(
        Held(0, 20, 20_000), (Held(30, 8, 9_878), Held(90, 10, 17_040), Held(365, 18, 63_538)), schedule.growth
    )


def test_the_guides_example_of_a_price() -> None:
    """G4.5: three snapshots of 100 GB at $0.095."""
    price = Price(0.095, "USD")
    assert (price.of(300_000_000_000), price.text(300_000_000_000)) == (28.5, "28.50 USD")
    assert Price(0.025).text(123_456_000_000_000) == "3,086.40"


def test_what_is_held_later_where_nothing_goes() -> None:
    """No policy: a prune keeps all, so that none has to be played; a year of hourly backups takes no time to tell."""
    schedule = Schedule(HOUR, FLAT, "app")
    found = forecast(daily(2), RetentionPolicy(), schedule, now=NOW)
    made = [2 + 1 + 24 * days for days in (30, 90, 365)]  # one is overdue
    assert [(one.backups, one.size) for one in found.later] == [(number, number * 1000) for number in made]
