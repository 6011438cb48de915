"""The retention policy: which backups are kept, as a pure function of the backups, the policy and the time.

* A tier (daily 7, say) keeps the newest backup of each of the newest seven days **that have one**, as restic and borg
  count: a week without backups takes nothing away. Each rule counts for itself; one that keeps is enough.
* Durations count back from the newest backup, not from now. So neither backups that stopped nor a clock that is ahead
  take anything away.
* Backups of different databases are judged apart, and so are those of a part (some tables, definitions only): none ever
  takes the place of a whole one. One from the future is kept, told, and counts for nothing.
* A policy without `last`, a tier or `within` keeps everything.
* Often or once is the same: what is kept at a moment does not depend on when it was pruned before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

from handrail.retention.candidate import Candidate, Pin
from handrail.retention.decision import TIERS, Decision, Reason, Rule
from handrail.retention.periods import Span, latest, name_of, period_of, start_after

FOREVER = timedelta.max
#: Milestones that the calendar makes: the newest backup of each of these periods.
PERIOD_MILESTONES: Mapping[str, Span] = {
    "month-end": Span.MONTH,
    "quarter-end": Span.QUARTER,
    "year-end": Span.YEAR,
}
_Found = Iterator[tuple[str, Reason]]
#: A backup, and when it was made by the clock of the policy's time zone.
_Placed = tuple[Candidate, datetime]


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What is kept. 0 means that a rule keeps nothing. `milestones` are names with the time they are kept for; `zone`
    is where days begin and end."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: timedelta = timedelta()
    pre_migration: timedelta = timedelta()
    milestones: tuple[tuple[str, timedelta], ...] = ()
    minimum_verified: int = 1
    zone: tzinfo = UTC

    @property
    def tiers(self) -> tuple[tuple[Rule, int], ...]:
        """The tiers that keep something, fastest first."""
        counts = (self.hourly, self.daily, self.weekly, self.monthly, self.yearly)
        return tuple((rule, count) for rule, count in zip(TIERS, counts, strict=True) if count > 0)

    @property
    def is_empty(self) -> bool:
        """True when it keeps everything, since nothing says how much."""
        return not (self.tiers or self.last > 0 or self.within > timedelta())


@dataclass(frozen=True, slots=True)
class Guarded:
    """What must not go, whatever the policy says, by the ids of backups.

    `in_use` and `not_understood` map an id to what uses it or could not be read. `needs` maps an id to those that it
    cannot be restored without. `way_back` are the backups that lead behind `live`, the revision in words. With a
    `target`, backups of other databases stay.
    """

    in_use: Mapping[str, str] = field(default_factory=dict)
    not_understood: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    way_back: frozenset[str] = frozenset()
    live: str = ""
    target: str = ""


NOTHING_GUARDED = Guarded()


def apply_policy(
    candidates: Iterable[Candidate], policy: RetentionPolicy, now: datetime, guarded: Guarded = NOTHING_GUARDED
) -> tuple[Decision, ...]:
    """One decision for each backup, newest first; the order in which they are given does not matter."""
    newest_first = sorted(candidates, key=lambda one: (one.created_at, one.id), reverse=True)
    reasons: dict[str, list[Reason]] = {one.id: [] for one in newest_first}
    for kind in dict.fromkeys((one.target, one.part) for one in newest_first):
        group = [one for one in newest_first if (one.target, one.part) == kind]
        for id_, reason in (*_guards(group, policy, now, guarded), *_rules(group, policy, now)):
            reasons[id_].append(reason)
    _keep_needed(reasons, guarded.needs)
    return tuple(_decided(one, reasons[one.id]) for one in newest_first)


def way_back(candidates: Iterable[Candidate], target: str, live: Sequence[str], now: datetime) -> frozenset[str]:
    """The whole backups of a database that lead back behind its live revisions: the newest of another revision, and the
    newest of those that was proven to restore."""
    whole = (one for one in candidates if one.target == target and not one.part)
    behind = [one for one in whole if one.created_at <= now and set(one.revisions) != set(live)]
    newest = sorted(behind, key=lambda one: (one.created_at, one.id), reverse=True)
    return frozenset(one.id for one in (*newest[:1], *[one for one in newest if one.is_verified][:1]))


def _decided(candidate: Candidate, reasons: list[Reason]) -> Decision:
    kept_by = tuple(reason for reason in reasons if reason.keeps)
    return Decision(candidate, bool(kept_by), kept_by or tuple(reasons))


def _keep_needed(reasons: dict[str, list[Reason]], needs: Mapping[str, tuple[str, ...]]) -> None:
    waiting = [id_ for id_, found in reasons.items() if any(reason.keeps for reason in found)]
    while waiting:
        child = waiting.pop()
        for parent in (one for one in needs.get(child, ()) if one in reasons):
            if not any(reason.keeps for reason in reasons[parent]):
                waiting.append(parent)
            reasons[parent].append(Reason(Rule.NEEDED, by=child))


def _guards(group: Sequence[Candidate], policy: RetentionPolicy, now: datetime, guarded: Guarded) -> _Found:
    """Reasons that hold under every policy, of the backups of one database, newest first."""
    present = [one for one in group if one.created_at <= now]
    yield from ((one.id, Reason(Rule.NEWEST)) for one in present[:1])
    verified = [one for one in present if one.is_verified]
    yield from ((one.id, Reason(Rule.LAST_VERIFIED)) for one in verified[:1])
    for one in group:
        if one.created_at > now:
            yield one.id, Reason(Rule.FUTURE, what=f"{one.created_at.astimezone(policy.zone):%Y-%m-%d %H:%M}")
        if one.id in guarded.way_back:
            yield one.id, Reason(Rule.WAY_BACK, what=guarded.live)
        if one.id in guarded.in_use:
            yield one.id, Reason(Rule.IN_USE, what=guarded.in_use[one.id])
        if one.id in guarded.not_understood:
            yield one.id, Reason(Rule.NOT_UNDERSTOOD, what=guarded.not_understood[one.id])
        if guarded.target and one.target != guarded.target:
            yield one.id, Reason(Rule.ELSEWHERE, what=one.target)
        for pin in one.pins:
            yield one.id, _pinned(pin, policy.zone, now)


def _pinned(pin: Pin, zone: tzinfo, now: datetime) -> Reason:
    until = pin.until and pin.until.astimezone(zone)
    if until is not None and until <= now:
        return Reason(Rule.PINNED, keeps=False, what=f"{until:%Y-%m-%d}")
    return Reason(Rule.PINNED, until=until, what=f" ({pin.reason})" if pin.reason else "")


def _rules(group: Sequence[Candidate], policy: RetentionPolicy, now: datetime) -> _Found:
    """What the policy says of the backups of one database, newest first."""
    present = [one for one in group if one.created_at <= now]
    if policy.is_empty:
        yield from ((one.id, Reason(Rule.NO_POLICY)) for one in group)
        return
    if policy.last > 0:
        limit = str(policy.last)
        yield from ((one.id, Reason(Rule.LAST, n < policy.last, limit=limit)) for n, one in enumerate(present))
    here = now.astimezone(policy.zone)
    placed = [(one, one.created_at.astimezone(policy.zone)) for one in present]
    for rule, count in policy.tiers:
        yield from _tier(placed, rule, count, here)
    yield from _durations(placed, policy, here)
    if policy.minimum_verified > 1:
        proven = [one for one in present if one.is_verified][: policy.minimum_verified]
        yield from ((one.id, Reason(Rule.MINIMUM_VERIFIED, limit=str(policy.minimum_verified))) for one in proven)


def _tier(placed: Sequence[_Placed], rule: Rule, count: int, here: datetime) -> _Found:
    """The newest of each of the newest `count` periods that have one."""
    span, limit = TIERS[rule], str(count)
    running = period_of(here, span)
    newest: dict[tuple[int, ...], tuple[int, Candidate]] = {}
    begin = here
    for one, local in placed:
        period = period_of(local, span)
        if not newest and period == running:
            begin = local
        place, first = newest.setdefault(period, (len(newest), one))
        if place >= count:
            yield one.id, Reason(rule, keeps=False, limit=limit, at=local)
        elif first is not one:
            yield one.id, Reason(rule, keeps=False, by=first.id, at=local)
        else:
            yield one.id, _kept_by_tier(rule, count - place, begin, local, here)


def _kept_by_tier(rule: Rule, left: int, begin: datetime, local: datetime, here: datetime) -> Reason:
    """`left` newer periods push it out. The running one (that of `here`) is among them when it has no backup yet."""
    span = TIERS[rule]
    is_running = period_of(local, span) == period_of(here, span)
    ahead = left - 1 if begin is here else left
    until = start_after(begin, span, ahead, here.tzinfo or UTC)
    return Reason(rule, until=until and latest((until, here)), at=local if is_running else None)


def _durations(placed: Sequence[_Placed], policy: RetentionPolicy, here: datetime) -> _Found:
    """What is kept for a time, counted back from the newest backup."""
    for one, _ in placed:
        age = placed[0][0].created_at - one.created_at
        if policy.within > timedelta():
            yield one.id, _for_a_time(Rule.WITHIN, one, age, policy.within, policy.zone)
        if one.is_pre_migration and policy.pre_migration > timedelta():
            yield one.id, _for_a_time(Rule.PRE_MIGRATION, one, age, policy.pre_migration, policy.zone)
        if one.milestones:
            yield from ((one.id, reason) for reason in _named_milestones(one, age, policy))
    for name, limit in policy.milestones:
        if name in PERIOD_MILESTONES:
            yield from _period_milestone(placed, name, limit, here)


def _named_milestones(one: Candidate, age: timedelta, policy: RetentionPolicy) -> Iterator[Reason]:
    limits = dict(policy.milestones)
    for name in sorted(one.milestones):
        if name in limits:
            yield _for_a_time(Rule.MILESTONE, one, age, limits[name], policy.zone, name)
        else:
            yield Reason(Rule.MILESTONE, what=f"{name}, for which the policy names no time")


def _period_milestone(placed: Sequence[_Placed], name: str, limit: timedelta, here: datetime) -> _Found:
    span = PERIOD_MILESTONES[name]
    running = period_of(here, span)
    seen: set[tuple[int, ...]] = set()
    for one, local in placed:
        period = period_of(local, span)
        if period not in seen:
            seen.add(period)
            age = placed[0][0].created_at - one.created_at
            reason = _for_a_time(Rule.MILESTONE, one, age, limit, here.tzinfo or UTC, f"{name} {name_of(local, span)}")
            yield one.id, replace(reason, at=local) if period == running else reason


def _for_a_time(rule: Rule, one: Candidate, age: timedelta, limit: timedelta, zone: tzinfo, what: str = "") -> Reason:
    keeps = age <= limit
    try:
        until = (one.created_at + limit).astimezone(zone) if keeps else None
    except OverflowError:
        until = None
    what = f"{what}, for ever" if limit == FOREVER else what
    return Reason(rule, keeps, until, limit=duration_text(limit), what=what)


@cache
def duration_text(limit: timedelta) -> str:
    """A duration as people write it: "36 hours", "30 days", "for ever"."""
    if limit == FOREVER:
        return "for ever"
    hours = limit / timedelta(hours=1)
    number, noun = (hours / 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
