"""A change of an instance's automated backups: what would become different, and what must not be done so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from handrail.errors import UsageError
from handrail.snapshots.instance import Instance

MOST_DAYS: Final = 35
_SHORTEST: Final = 30
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = r"([01]\d|2[0-3]):([0-5]\d)"
_DAILY: Final = re.compile(f"{_CLOCK}-{_CLOCK}")
_WEEKLY: Final = re.compile(f"({'|'.join(_DAYS)}):{_CLOCK}-({'|'.join(_DAYS)}):{_CLOCK}")


class NotChanged(UsageError):
    """The automated backups cannot or must not be changed so. Nothing was asked for."""

    code = "HR592"


@dataclass(frozen=True, slots=True)
class AutomatedChange:
    """What is to be set; `lines` say what becomes different, () when nothing does."""

    retention_days: int
    window: str
    lines: tuple[str, ...] = ()
    is_outage: bool = False


def plan_change(
    instance: Instance, *, retention_days: int | None, window: str | None, allow_outage: bool
) -> AutomatedChange:
    """What changing to these (None: as it is) means. NotChanged for what RDS would refuse, for what AWS Backup is in
    charge of, and for 0 ↔ n days, during which the instance is away, unless that was allowed."""
    _require_own(instance)
    settings = instance.settings
    days = settings.retention_days if retention_days is None else retention_days
    if not 0 <= days <= MOST_DAYS:
        raise NotChanged(
            f"automated backups cannot be kept for {days} days",
            why=f"RDS takes 0 (off) to {MOST_DAYS} days",
            hint="--retention 7",
        )
    wanted = settings.backup_window if window is None else window
    if window is not None:
        check_window(window, settings.maintenance_window)
    is_outage = (days == 0) != (settings.retention_days == 0)
    lines = tuple(_changes(settings.retention_days, days, settings.backup_window, wanted))
    if is_outage and not allow_outage:
        raise NotChanged(
            f"{instance.id}: {lines[0]} takes the instance away for a while",
            why="RDS restarts an instance when its automated backups are turned on or off"
            + ("; the automated backups that there are would be deleted" if days == 0 else ""),
            hint="in a quiet hour: the same with --allow-outage",
        )
    return AutomatedChange(days, wanted, lines, is_outage)


def _require_own(instance: Instance) -> None:
    if instance.aws_backup:
        raise NotChanged(
            f"the automated backups of {instance.id} are not changed",
            why=f"AWS Backup is in charge of them ({instance.aws_backup}); changed here, its plan would be broken",
            hint="change the rule of its backup plan: aws backup list-backup-plans",
        )


def _changes(old_days: int, new_days: int, old_window: str, new_window: str) -> list[str]:
    lines = []
    if old_days != new_days:
        lines.append(f"retention {_days(old_days)} -> {_days(new_days)}")
    if old_window != new_window:
        lines.append(f"window {old_window or 'none'} -> {new_window} UTC")
    return lines


def _days(days: int) -> str:
    return f"{days} {'day' if days == 1 else 'days'}" if days else "0 days (off)"


def check_window(text: str, maintenance: str) -> str:
    """The window itself: daily, in UTC, of 30 minutes at least, apart from the weekly `maintenance` window ("" when it
    is not known). NotChanged otherwise."""
    found = _DAILY.fullmatch(text)
    if not found:
        raise NotChanged(f"{text!r} is no backup window", why="it is daily and in UTC", hint="--window 03:00-04:00")
    begin, end = _minutes(found[1], found[2]), _minutes(found[3], found[4])
    length = (end - begin) % _DAY
    if length < _SHORTEST:
        raise NotChanged(
            f"the backup window {text} is too short",
            why=f"it has {length} minutes, RDS wants {_SHORTEST} at least",
            hint="--window 03:00-04:00",
        )
    weekly = _WEEKLY.fullmatch(maintenance.lower())
    if weekly:
        other = _week(weekly[1], weekly[2], weekly[3]), _week(weekly[4], weekly[5], weekly[6])
        if any(_overlap((day * _DAY + begin, day * _DAY + begin + length), other) for day in range(7)):
            raise NotChanged(
                f"the backup window {text} overlaps the maintenance window {maintenance}",
                why="RDS takes only windows that are apart",
                hint="choose another hour, in UTC; handrail rds settings shows both",
            )
    return text


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _week(day: str, hours: str, minutes: str) -> int:
    return _DAYS.index(day) * _DAY + _minutes(hours, minutes)


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Of two spans in a week that begins anew; the end of the second may come before its begin."""
    begin, end = other[0], other[0] + (other[1] - other[0]) % _WEEK
    return any(one[0] + shift < end and begin < one[1] + shift for shift in (-_WEEK, 0, _WEEK))
