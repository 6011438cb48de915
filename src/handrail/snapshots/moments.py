"""Which moment an instance is to be restored as of: how it is written, and whether RDS has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from handrail.amounts import span
from handrail.errors import UsageError
from handrail.snapshots.instance import RecoveryWindow

#: What `--to` says for the last moment that has arrived.
NEWEST: Final = "newest"
#: Shown as the other reading where the machine itself counts in UTC.
_ELSEWHERE: Final = timedelta(hours=9)


class NoSuchMoment(UsageError):
    """It is not a moment that can be restored. Nothing was asked for."""

    code = "HR591"


def read_moment(text: str, local: tzinfo) -> datetime | None:
    """The moment in UTC; None for the newest. NoSuchMoment for what is no time, and for one without a zone: it is shown
    as it would be read in UTC and in `local`, since the wrong one is hours off."""
    if text.strip() == NEWEST:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NoSuchMoment(
            f"{text!r} is not a time",
            why="it is not written as ISO 8601",
            hint='write it like --to "2026-02-18T15:25+09:00", or --to newest',
        ) from None
    if found.tzinfo is None:
        raise _of_no_zone(text.strip(), found, local)
    return found.astimezone(UTC)


def _of_no_zone(text: str, found: datetime, local: tzinfo) -> NoSuchMoment:
    offset = found.replace(tzinfo=local).utcoffset() or timedelta()
    whose = "in the zone of this machine" if offset else "in Seoul"
    there = f"{found.isoformat(timespec='minutes')}{_offset(offset or _ELSEWHERE)}"
    as_utc = datetime.fromisoformat(there).astimezone(UTC)
    here = f"{found.isoformat(timespec='minutes')}+00:00"
    return NoSuchMoment(
        f"{text!r} does not say of which time zone it is",
        why=f"it could be {written(found.replace(tzinfo=UTC))}, or {whose} {written(as_utc)}",
        hint=f'write the one that is meant: --to "{here}" or --to "{there}"',
    )


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def written(moment: datetime) -> str:
    """As people read it: "2026-02-18 06:25 UTC", with seconds where there are some."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment.second else f"{moment:%Y-%m-%d %H:%M} UTC"


def require_moment(
    moment: datetime | None, window: RecoveryWindow | None, *, name: str, now: datetime
) -> RecoveryWindow:
    """The window of the instance of that name, when it holds the moment (None: any). NoSuchMoment otherwise."""
    if window is None:
        raise NoSuchMoment(
            f"no moment of {name} can be restored",
            why="its automated backups are off, or the first one is not made yet",
            hint="handrail rds automated shows them; a snapshot can be restored: handrail rds list",
        )
    if moment is None:
        return window
    if moment > now:
        raise NoSuchMoment(
            f"{written(moment)} is in the future",
            why=f"it is {written(now)} now; is the zone right?",
            hint=f"the last moment there is: --to {NEWEST} ({written(window.latest)})",
        )
    if moment < window.earliest:
        raise _outside(moment, window, f'the first moment there is: --to "{window.earliest.isoformat()}"')
    if moment > window.latest:
        behind = span((now - window.latest).total_seconds())
        raise _outside(
            moment,
            window,
            f"RDS is {behind} behind now: wait until it has come so far, or --to {NEWEST}",
        )
    return window


def _outside(moment: datetime, window: RecoveryWindow, hint: str) -> NoSuchMoment:
    return NoSuchMoment(
        f"{written(moment)} cannot be restored",
        why=f"RDS has {written(window.earliest)} to {written(window.latest)}",
        hint=hint,
    )
