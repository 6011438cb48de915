"""Hours, days, weeks, months, quarters and years of a time zone, as keys that tell one period from another.

A period is of the clock on the wall. An hour that the clocks show twice (the end of summer time) is two hours; a day
has 23, 24 or 25 of them. Weeks begin on Monday and are numbered as ISO 8601 does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

_HOUR = timedelta(hours=1)


class Span(StrEnum):
    """How long a period is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def period_of(local: datetime, span: Span) -> tuple[int, ...]:
    """The period that holds a moment, given in the time zone that counts; equal keys are one period."""
    match span:
        case Span.HOUR:
            offset = local.utcoffset() or timedelta()
            return (local.toordinal(), local.hour, int(offset.total_seconds()))
        case Span.DAY:
            return (local.toordinal(),)
        case Span.WEEK:
            return local.isocalendar()[:2]
        case Span.MONTH:
            return (local.year, local.month)
        case Span.QUARTER:
            return (local.year, (local.month - 1) // 3)
        case Span.YEAR:
            return (local.year,)


def name_of(local: datetime, span: Span) -> str:
    """The period in words: "2026-11-28 03:00", "2026-11-28", "2026-W48", "2026-11", "2026-Q4", "2026"."""
    match span:
        case Span.HOUR:
            return f"{local.date()} {local.hour:02}:00"
        case Span.DAY:
            return str(local.date())
        case Span.WEEK:
            year, week, _ = local.isocalendar()
            return f"{year}-W{week:02}"
        case Span.MONTH:
            return f"{local.year}-{local.month:02}"
        case Span.QUARTER:
            return f"{local.year}-Q{(local.month - 1) // 3 + 1}"
        case Span.YEAR:
            return f"{local.year}"


def start_after(local: datetime, span: Span, number: int, zone: tzinfo) -> datetime | None:
    """When the period begins that is `number` after the one that holds `local` (0: that one itself), never too late.
    None beyond the years that a date can have."""
    try:
        if span is Span.HOUR:
            return _hour_after(local, number, zone)
        day = _day_after(local.date(), span, number)
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def latest(moments: Iterable[datetime]) -> datetime | None:
    """The last of these moments. Compared in UTC: Python compares two of one time zone by their wall clocks, which show
    an hour twice."""
    return max(moments, key=lambda moment: moment.astimezone(UTC), default=None)


def _hour_after(local: datetime, number: int, zone: tzinfo) -> datetime:
    begun = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    found = (begun + number * _HOUR).astimezone(zone)
    # Where clocks change by half an hour, two of the hours are shorter.
    moved = (found.utcoffset() or timedelta()) - (local.utcoffset() or timedelta())
    is_odd = number > 0 and moved % _HOUR != timedelta()
    return (found.astimezone(UTC) - _HOUR).astimezone(zone) if is_odd else found


def _day_after(day: date, span: Span, number: int) -> date:
    if span is Span.DAY:
        return day + timedelta(days=number)
    if span is Span.WEEK:
        return day + timedelta(days=7 * number - day.weekday())
    months = {Span.MONTH: 1, Span.QUARTER: 3, Span.YEAR: 12}[span]
    begun = day.year * 12 + (day.month - 1) // months * months + number * months
    return date(begun // 12, begun % 12 + 1, 1)
