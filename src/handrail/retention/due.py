"""Which backups of a timetable are due: a pure function of the times, the backups that there are, and the clock.

* A tier is due when its last time has passed and no backup serves it: whole, of this database, proven to restore
  (unless that is not asked for), and made at that time or later, whatever it was made for. So many missed times are
  caught up by one backup, and asking twice is the same as asking once. The files of a whole server serve only where
  the timetable asks for such.
* A backup from the future serves nothing, so a clock that was ahead once keeps none from being made.
* Times are of the clock on the wall. One that the clocks skip is when they have skipped it, one that they show twice is
  the first.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from handrail.backups.methods import Method
from handrail.retention.candidate import SERVER, Candidate
from handrail.retention.decision import Rule

_HOUR = timedelta(hours=1)
#: How old the whole backup may become that increments build on, unless told.
WHOLE_EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Time:
    """When a tier's backup is made: of the hour its `minute`, of the day also `hour`, of the week `weekday` (0 is
    Monday), of the month `day` (the last one where there are fewer), of the year `month`."""

    tier: Rule
    minute: int = 0
    hour: int = 0
    weekday: int = 0
    day: int = 1
    month: int = 1


@dataclass(frozen=True, slots=True)
class Timetable:
    """The times of an environment, fastest tier first, and where they are of. With `proven` only a backup that was
    proven to restore serves. `method` is how they are made, None as the engine does unless told; of increments
    `whole_every` is how old the whole one may become that they build on."""

    times: tuple[Time, ...]
    zone: tzinfo = UTC
    proven: bool = True
    method: Method | None = None
    whole_every: timedelta = WHOLE_EVERY

    def serves(self, one: Candidate) -> bool:
        """Whether such a backup is what is asked for, whenever it was made."""
        is_whole = not one.part or (one.part == SERVER and self.method in (Method.BASE, Method.INCREMENT))
        return is_whole and (one.is_verified or not self.proven)


@dataclass(frozen=True, slots=True)
class Due:
    """A tier of which a backup is wanted, and since when."""

    tier: Rule
    since: datetime


def due(candidates: Iterable[Candidate], timetable: Timetable, target: str, now: datetime) -> tuple[Due, ...]:
    """What is due of a database (its address); () when nothing is."""
    made = [
        one.created_at.astimezone(UTC)
        for one in candidates
        if one.target == target and one.created_at <= now and timetable.serves(one)
    ]
    newest = max(made, default=None)
    last = [Due(time.tier, last_time(time, timetable.zone, now)) for time in timetable.times]
    return tuple(one for one in last if newest is None or newest < one.since)


def next_due(timetable: Timetable, now: datetime) -> Due | None:
    """The next of all times after this moment; of several at once the slowest tier. None in an empty timetable."""
    coming = [Due(time.tier, next_time(time, timetable.zone, now)) for time in timetable.times]
    return min(reversed(coming), key=lambda one: one.since, default=None)


def last_time(time: Time, zone: tzinfo, now: datetime) -> datetime:
    """The last time of a tier that is not after this moment, in UTC."""
    return max(moment for moment in _around(time, zone, now) if moment <= now)


def next_time(time: Time, zone: tzinfo, now: datetime) -> datetime:
    """The first time of a tier after this moment, in UTC."""
    return min(moment for moment in _around(time, zone, now) if moment > now)


def _around(time: Time, zone: tzinfo, now: datetime) -> list[datetime]:
    """Times before and after this moment, the nearest among them."""
    local = now.astimezone(zone)
    if time.tier is Rule.HOURLY:
        here = local.replace(minute=time.minute, second=0, microsecond=0).astimezone(UTC)
        return [here + number * _HOUR for number in (-2, -1, 0, 1, 2)]
    days = (_day(time, local.date(), number) for number in (-1, 0, 1))
    return [datetime(day.year, day.month, day.day, time.hour, time.minute, tzinfo=zone).astimezone(UTC) for day in days]


def _day(time: Time, today: date, number: int) -> date:
    """The day of the tier's time in the period that is `number` after today's."""
    if time.tier is Rule.DAILY:
        return today + timedelta(days=number)
    if time.tier is Rule.WEEKLY:
        return today + timedelta(days=7 * number + time.weekday - today.weekday())
    if time.tier is Rule.MONTHLY:
        months = today.year * 12 + today.month - 1 + number
        return _day_of(months // 12, months % 12 + 1, time.day)
    return _day_of(today.year + number, time.month, time.day)


def _day_of(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
