"""Which backups will be there at each coming day, week or month, if backups go on being made and pruned.

The same `apply_policy` decides. What is kept at a moment does not depend on when it was pruned before, so pruning at
the moments that are looked at is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from handrail.retention.candidate import Candidate
from handrail.retention.decision import TIERS, Decision, Rule
from handrail.retention.growth import Growth
from handrail.retention.periods import Span, start_after
from handrail.retention.policy import NOTHING_GUARDED, Guarded, RetentionPolicy, apply_policy

PLANNED = "planned-"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How backups go on: one of `target` every so often, each proven to restore, as large as `growth` expects."""

    every: timedelta
    growth: Growth
    target: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is there at a moment, newest first, after a prune. Planned backups have ids that begin with "planned-"."""

    at: datetime
    kept: tuple[Decision, ...]

    @property
    def size(self) -> int:
        return sum(one.candidate.size for one in self.kept)

    @property
    def oldest(self) -> datetime | None:
        return min((one.candidate.created_at for one in self.kept), default=None)

    @property
    def tiers(self) -> tuple[tuple[Rule, int], ...]:
        """How many each tier keeps; a backup may be kept by several."""
        rules = [reason.rule for one in self.kept for reason in one.reasons if reason.rule in TIERS]
        return tuple((tier, rules.count(tier)) for tier in TIERS if tier in rules)


def coming(
    candidates: Iterable[Candidate],
    policy: RetentionPolicy,
    schedule: Schedule,
    moments: Iterable[datetime],
    guarded: Guarded = NOTHING_GUARDED,
    *,
    now: datetime,
) -> Iterator[Moment]:
    """What will be there at these moments, which are given in order and after `now`."""
    there = list(candidates)
    planned = _planned(there, schedule, now)
    waiting = next(planned)
    for at in moments:
        while waiting.created_at <= at:
            there.append(waiting)
            waiting = next(planned)
        kept = tuple(one for one in apply_policy(there, policy, at, guarded) if one.keep)
        there = [one.candidate for one in kept]
        yield Moment(at, kept)


def moments_of(now: datetime, span: Span, days: int, policy: RetentionPolicy) -> tuple[datetime, ...]:
    """The beginnings of the coming periods, in the policy's time zone, until so many days from now."""
    end, here = now + timedelta(days=days), now.astimezone(policy.zone)
    found: list[datetime] = []
    while (at := start_after(here, span, len(found) + 1, policy.zone)) is not None and at <= end:
        found.append(at)
    return tuple(found)


def usual_interval(candidates: Iterable[Candidate], target: str, now: datetime) -> timedelta | None:
    """The median time between two whole backups of a database, in whole hours; None when there are fewer than two."""
    whole = (one for one in candidates if one.target == target and not one.part)
    times = sorted(one.created_at for one in whole if one.created_at <= now)
    gaps = sorted(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return max(1, round(gaps[len(gaps) // 2] / _HOUR)) * _HOUR if gaps else None


def _planned(there: list[Candidate], schedule: Schedule, now: datetime) -> Iterator[Candidate]:
    whole = (one for one in there if one.target == schedule.target and not one.part)
    made = [one.created_at for one in whole if one.created_at <= now]
    first = max(max(made, default=now) + schedule.every, now)
    model = Candidate("", first, schedule.target, is_verified=True)
    number = 0
    while True:
        at = first + number * schedule.every
        yield replace(model, id=f"{PLANNED}{number + 1}", created_at=at, size=schedule.growth.size_at(at))
        number += 1
