"""How large backups are and how fast they grow, by medians: one odd backup does not bend the line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from handrail.retention.candidate import Candidate

_DAY = timedelta(days=1)
#: Every pair of backups has a slope: more of them would take long and tell nothing new.
_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Growth:
    """A line through the sizes: `size` bytes at the moment `at`, and so many bytes more each day."""

    at: datetime
    size: float = 0.0
    per_day: float = 0.0

    def size_at(self, moment: datetime) -> int:
        """What a backup is expected to have; never below nothing."""
        return max(0, round(self.size + self.per_day * ((moment - self.at) / _DAY)))


def growth_of(candidates: Iterable[Candidate], now: datetime) -> Growth:
    """The line of Theil and Sen: the median of the slopes between all pairs, and the median of what remains."""
    present = sorted((one.created_at, one.size) for one in candidates if one.created_at <= now)
    chosen = (
        [present[place * len(present) // _AT_MOST] for place in range(_AT_MOST)] if len(present) > _AT_MOST else present
    )
    points = [((at - now) / _DAY, size) for at, size in chosen]
    slopes = [
        (size - before) / (day - earlier)
        for place, (day, size) in enumerate(points)
        for earlier, before in points[:place]
        if day > earlier
    ]
    per_day = median(slopes) if slopes else 0.0
    level = median(size - per_day * day for day, size in points) if points else 0.0
    return Growth(now, level, per_day)
