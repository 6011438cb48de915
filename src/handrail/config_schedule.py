"""The [schedule] table: when backups are due, as it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handrail.backups.methods import Method
from handrail.config_retention import Age

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
_WRITTEN = {
    "hourly": (r":(?P<minute>[0-5]\d)", ":05"),
    "daily": (_CLOCK, "03:00"),
    "weekly": (rf"(?P<weekday>{'|'.join(_WEEKDAYS)}) +{_CLOCK}", "sunday 03:00"),
    "monthly": (rf"(?P<day>[12]?\d|3[01]) +{_CLOCK}", "1 03:00"),
    "yearly": (rf"(?P<month>0\d|1[0-2])-(?P<day>[0-2]\d|3[01]) +{_CLOCK}", "01-31 03:00"),
}


def parse_time(tier: str, text: str) -> dict[str, int]:
    """The parts of a tier's time, by name: `minute`, `hour`, `weekday` (0 is Monday), `day`, `month`. ValueError when
    it is not written as that tier's is."""
    pattern, example = _WRITTEN[tier]
    found = re.fullmatch(pattern, text.strip().lower())
    parts = {name: _WEEKDAYS.index(part) if name == "weekday" else int(part) for name, part in _groups(found)}
    if found is None or 0 in (parts.get("day"), parts.get("month")):
        raise ValueError(f'`{tier}` is written like "{example}", not {text!r}')
    return parts


def _groups(found: re.Match[str] | None) -> list[tuple[str, str]]:
    return list(found.groupdict().items()) if found else []


@dataclass(frozen=True, slots=True)
class ScheduleSettings:
    """When `handrail backup run-due` makes a backup; a tier that is not named is not asked for.

    Without `verify` it is not proven to restore (for a machine without the key of encrypted ones); with `prune` what
    [retention] does not keep is deleted then. `method` is how, None as the engine does unless told; of increments
    `whole_every` is how old the whole one may become that they build on."""

    hourly: str | None = None
    daily: str | None = None
    weekly: str | None = None
    monthly: str | None = None
    yearly: str | None = None
    timezone: str = "UTC"
    verify: bool = True
    prune: bool = False
    method: Method | None = None
    whole_every: Age | None = None

    def __post_init__(self) -> None:
        if self.whole_every is not None and self.method is not Method.INCREMENT:
            raise ValueError('`whole_every` goes with `method = "increment"`')
        if self.whole_every is not None and not self.whole_every:
            raise ValueError("`whole_every` is longer than nothing")
        for tier, text in self.times:
            parse_time(tier, text)

    @property
    def times(self) -> tuple[tuple[str, str], ...]:
        """The tiers that are asked for with their times as they are written, fastest first."""
        given = (self.hourly, self.daily, self.weekly, self.monthly, self.yearly)
        return tuple((tier, text) for tier, text in zip(_WRITTEN, given, strict=True) if text is not None)
