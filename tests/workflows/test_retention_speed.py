"""A year of hourly backups is foreseen in about a second of an idle machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from handrail.retention.calendar import Schedule, coming, moments_of
from handrail.retention.candidate import Candidate
from handrail.retention.decision import Rule
from handrail.retention.growth import Growth
from handrail.retention.periods import Span
from handrail.retention.policy import RetentionPolicy
from support.pace import cost

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_year_of_hourly_backups() -> None:
    policy = RetentionPolicy(hourly=24, daily=7, weekly=5, monthly=12, zone=ZoneInfo("Europe/Berlin"))
    there = [Candidate(f"b{n}", NOW - n * HOUR, "app", 1000) for n in range(100)]
    schedule, days = Schedule(HOUR, Growth(NOW, 1000.0), "app"), moments_of(NOW, Span.DAY, 365, policy)
    assert cost(lambda: list(coming(there, policy, schedule, days, now=NOW))) < 80, "37 at the time of writing"
    year = list(coming(there, policy, schedule, days, now=NOW))
    tiers = ((Rule.HOURLY, 24), (Rule.DAILY, 7), (Rule.WEEKLY, 5), (Rule.MONTHLY, 12))
    assert (len(year), year[-1].tiers) == (365, tiers)
