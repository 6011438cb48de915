"""What the backups of a store take and cost: now, and in 30, 90 and 365 days under the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handrail.retention.calendar import Schedule, coming
from handrail.retention.candidate import Candidate
from handrail.retention.growth import Growth
from handrail.retention.policy import NOTHING_GUARDED, Guarded, RetentionPolicy

HORIZONS = (30, 90, 365)
_GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a GB (a thousand million bytes) costs in a store for a month, in a currency as it is written."""

    per_gb_month: float
    currency: str = ""

    def of(self, size: int) -> float:
        """What so many bytes cost for a month."""
        return size / _GB * self.per_gb_month

    def text(self, size: int) -> str:
        """The same in words: "28.50 USD"."""
        return f"{self.of(size):,.2f} {self.currency}".strip()


@dataclass(frozen=True, slots=True)
class Held:
    """So many backups of so many bytes, so many days from now."""

    days: int
    backups: int
    size: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is held now, and later under the policy; without a schedule nothing can be told of later."""

    now: Held
    later: tuple[Held, ...]
    growth: Growth


def forecast(
    candidates: Sequence[Candidate],
    policy: RetentionPolicy,
    schedule: Schedule,
    guarded: Guarded = NOTHING_GUARDED,
    *,
    now: datetime,
) -> Forecast:
    """The sizes now and at the horizons, if backups go on by the schedule and are pruned by the policy."""
    # What a prune of one day leaves, that of the next can choose from; where nothing goes, no day between matters.
    days = HORIZONS if policy.is_empty else range(1, HORIZONS[-1] + 1)
    moments = [now + timedelta(days=day) for day in days]
    found = zip(days, coming(candidates, policy, schedule, moments, guarded, now=now), strict=True)
    later = tuple(Held(day, len(moment.kept), moment.size) for day, moment in found if day in HORIZONS)
    held = Held(0, len(candidates), sum(one.size for one in candidates))
    return Forecast(held, later, schedule.growth)
