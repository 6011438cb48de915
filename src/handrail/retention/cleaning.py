"""Which snapshots of RDS go: the same policy as for every backup, told by the tags of each (G5.5).

What is not ours is never judged: automated ones, AWS Backup's, shared ones, what carries no label, what is not whole.
Before there were tags, people told the tier by the name; where it is allowed, such a snapshot is *adopted*: it gets the
tags that its name means, and is judged from the next time on. So only what carries our tags is ever deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from handrail.retention.candidate import Candidate, Pin
from handrail.retention.decision import Decision
from handrail.retention.policy import FOREVER, Guarded, RetentionPolicy, apply_policy
from handrail.snapshots.export import Export
from handrail.snapshots.snapshot import Label, Snapshot, SnapshotKind, Tier

#: How many snapshots one run deletes or asks to archive at most.
CAP: Final = 10
WEEKLY: Final = timedelta(days=30)
MONTHLY: Final = timedelta(days=180)
BEFORE_A_MIGRATION: Final = timedelta(days=90)
_GB: Final = 1_000_000_000


def snapshot_policy(
    *,
    weekly: timedelta = WEEKLY,
    monthly: timedelta = MONTHLY,
    yearly: timedelta = FOREVER,
    pre_migration: timedelta = BEFORE_A_MIGRATION,
) -> RetentionPolicy:
    """The default of production: weekly for 30 days, monthly for 180, before a migration for 90, yearly for ever; and
    whatever happens the newest of an instance."""
    milestones = ((Tier.WEEKLY.value, weekly), (Tier.MONTHLY.value, monthly), (Tier.YEARLY.value, yearly))
    return RetentionPolicy(last=1, pre_migration=pre_migration, milestones=milestones)


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be touched: snapshots of these instances (none: of every instance), `cap` of them in one run. `adopts`:
    whether those that only their name gives a tier get tags."""

    instances: frozenset[str] = frozenset()
    cap: int = CAP
    adopts: bool = False


class Deed(StrEnum):
    """`archive`: what was kept for years is not deleted by a clock; it is marked, for somebody to archive it first."""

    DELETE = "delete"
    ARCHIVE = "archive"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done with one snapshot, and why in words. `label`: what its tags are to say; None to delete."""

    deed: Deed
    snapshot: Snapshot
    reason: str
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Cleaning:
    """All of it: `actions` in the order in which they are to be done, oldest first; `waiting` is what the cap leaves
    for the next run; `decisions` are of every snapshot that was judged, `outside` of those that were not, with why."""

    actions: tuple[Action, ...]
    waiting: tuple[Action, ...] = ()
    decisions: tuple[Decision, ...] = ()
    outside: tuple[tuple[Snapshot, str], ...] = ()


def plan_cleaning(
    snapshots: Iterable[Snapshot], exports: Iterable[Export], policy: RetentionPolicy, scope: Scope, now: datetime
) -> Cleaning:
    """Decide. The order in which they are given does not matter; a snapshot is known by its ARN."""
    every = sorted(snapshots, key=lambda one: one.arn)
    outside, judged, adopted = [], [], []
    for one in every:
        label, why = one.label, _outside(one, scope)
        if why:
            outside.append((one, why))
        elif label is None:
            adopted.append(_adoption(one))
        else:
            judged.append((one, label))
    in_use = _in_use(every, exports)
    guarded = Guarded(in_use={one.arn: in_use[one.arn] for one, _ in judged if one.arn in in_use})
    decisions = apply_policy((_candidate(one, label) for one, label in judged), policy, now, guarded)
    leaving = tuple(_leaving(decisions, {one.arn: (one, label) for one, label in judged}))
    wanted = (*adopted, *sorted(leaving, key=_age))
    return Cleaning(wanted[: scope.cap], wanted[scope.cap :], decisions, tuple(outside))


def _outside(one: Snapshot, scope: Scope) -> str:
    """Why a snapshot is not judged, in words; "" when it is."""
    if one.kind is not SnapshotKind.MANUAL:
        return f"it is {one.kind.value}, which is not ours to delete"
    if scope.instances and one.instance not in scope.instances:
        return f"its instance {one.instance} is not looked after"
    if one.label is None and one.tier is None:
        return "no tag says that handrail manages it"
    if one.label is None and not scope.adopts:
        return f"only its name says that it is {one.tier}; names are not looked at"
    if not one.is_available:
        return f"it is {one.status}"
    if one.created_at is None:
        return "nobody says when it was taken"
    return ""


def _in_use(snapshots: Sequence[Snapshot], exports: Iterable[Export]) -> dict[str, str]:
    """What is being read, by the ARN of the snapshot: deleting it would end that."""
    used = {one.snapshot_arn: f"the export {one.id}" for one in exports if one.is_running}
    for one in snapshots:
        if one.copy_of and not one.is_available:
            source = next((other.arn for other in snapshots if one.copy_of in (other.arn, other.id)), "")
            used |= {source: f"the copy {one.id}"} if source else {}
    return used


def _candidate(one: Snapshot, label: Label) -> Candidate:
    assert one.created_at is not None  # noqa: S101 - one without is not judged
    pins = [Pin("its tag says so")] if label.is_pinned else []
    pins += [Pin("its tag names the day", label.expires)] if label.expires else []
    is_pre_migration = label.tier is Tier.PRE_MIGRATION
    return Candidate(
        id=one.arn,
        created_at=one.created_at,
        # An instance that took the name of a deleted one is another one.
        target=f"{one.instance} {one.resource_id}".rstrip(),
        size=one.full_size or one.size_gb * _GB,
        revisions=label.revisions,
        is_pre_migration=is_pre_migration,
        milestones=frozenset() if is_pre_migration else frozenset({label.tier.value}),
        pins=tuple(pins),
    )


def _leaving(decisions: Iterable[Decision], judged: Mapping[str, tuple[Snapshot, Label]]) -> Iterator[Action]:
    for decision in decisions:
        snapshot, label = judged[decision.candidate.id]
        if decision.keep:
            continue
        if label.tier is not Tier.YEARLY:
            yield Action(Deed.DELETE, snapshot, decision.text)
        elif not label.is_to_be_archived:
            yield Action(Deed.ARCHIVE, snapshot, decision.text, replace(label, is_to_be_archived=True))


def _adoption(one: Snapshot) -> Action:
    assert one.tier is not None  # noqa: S101 - one without is not judged
    return Action(Deed.ADOPT, one, f"its name says that it is {one.tier.value}", Label("", tier=one.tier))


def _age(action: Action) -> tuple[datetime, str]:
    assert action.snapshot.created_at is not None  # noqa: S101 - one without is not judged
    return action.snapshot.created_at, action.snapshot.arn
