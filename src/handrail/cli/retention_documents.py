"""What `--json` prints about what is kept: one type per command, as in `documents`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handrail.retention.decision import Decision, Reason, Rule

if TYPE_CHECKING:
    from handrail.retention.calendar import Moment, Schedule
    from handrail.retention.cost import Forecast, Held, Price
    from handrail.workflows.prune import Judged, Pruned


@dataclass(frozen=True, slots=True)
class ReasonDocument:
    """One rule's word about a backup. `until` is the earliest moment at which the rule may let it go."""

    rule: Rule
    keeps: bool
    until: datetime | None
    text: str

    @classmethod
    def of(cls, reason: Reason) -> ReasonDocument:
        return cls(reason.rule, reason.keeps, _utc(reason.until), reason.text)


@dataclass(frozen=True, slots=True)
class DecisionDocument:
    """Whether a backup is kept. `tier` is the slowest that keeps it; `until` is how long it is kept at least, null when
    it is deleted, kept for ever, or no date can be told."""

    id: str
    created_at: datetime
    database: str
    size: int
    keep: bool
    tier: Rule | None
    until: datetime | None
    reasons: tuple[ReasonDocument, ...]

    @classmethod
    def of(cls, decision: Decision) -> DecisionDocument:
        one = decision.candidate
        return cls(
            id=one.id,
            created_at=one.created_at,
            database=one.target,
            size=one.size,
            keep=decision.keep,
            tier=decision.tier,
            until=_utc(decision.until),
            reasons=tuple(ReasonDocument.of(reason) for reason in decision.reasons),
        )


@dataclass(frozen=True, slots=True)
class Pruning:
    """The decisions, newest first. `run_id` is "" when nothing was touched. `deleted` are ids, `freed` is bytes.
    `leftovers` are ids of which a killed run has left something (a deletion half done; a backup without a manifest,
    which may also be under way), `removed` those that this call removed. `unreadable` maps the key of a manifest that
    cannot be read, and so is kept, to the reason; `warnings` are what to look at."""

    run_id: str
    decisions: tuple[DecisionDocument, ...]
    deleted: tuple[str, ...]
    removed: tuple[str, ...]
    freed: int
    leftovers: tuple[str, ...]
    unreadable: Mapping[str, str]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, judged: Judged, done: Pruned | None = None) -> Pruning:
        return cls(
            run_id=done.run_id if done else "",
            decisions=tuple(DecisionDocument.of(one) for one in judged.decisions),
            deleted=done.deleted if done else (),
            removed=done.removed if done else (),
            freed=done.freed if done else 0,
            leftovers=() if done else judged.leftovers,
            unreadable=dict(judged.catalog.unreadable),
            warnings=judged.warnings,
        )


@dataclass(frozen=True, slots=True)
class MomentDocument:
    """What is there at a moment: ids, newest first (those to come begin with "planned-"), bytes, how many each tier
    keeps."""

    at: datetime
    backups: tuple[str, ...]
    size: int
    oldest: datetime | None
    tiers: Mapping[str, int]

    @classmethod
    def of(cls, moment: Moment) -> MomentDocument:
        ids = tuple(one.candidate.id for one in moment.kept)
        tiers = {tier.value: number for tier, number in moment.tiers}
        return cls(moment.at.astimezone(UTC), ids, moment.size, moment.oldest, tiers)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What will be there, if a backup is made every `every` seconds and is `growth` bytes larger each day."""

    every: float
    growth: float
    moments: tuple[MomentDocument, ...]

    @classmethod
    def of(cls, schedule: Schedule, moments: tuple[Moment, ...]) -> Calendar:
        found = tuple(MomentDocument.of(moment) for moment in moments)
        return cls(schedule.every.total_seconds(), round(schedule.growth.per_day, 3), found)


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """So many backups of so many bytes, `days` from now; `cost` is for a month, null without a price."""

    days: int
    backups: int
    size: int
    cost: float | None

    @classmethod
    def of(cls, held: Held, price: Price | None) -> HeldDocument:
        return cls(held.days, held.backups, held.size, None if price is None else round(price.of(held.size), 4))


@dataclass(frozen=True, slots=True)
class Cost:
    """What is held now and later. `price` is for a GB (10^9 bytes) and a month, null when none is configured; `growth`
    is how many bytes larger backups get each day."""

    price: float | None
    currency: str
    growth: float
    held: tuple[HeldDocument, ...]

    @classmethod
    def of(cls, forecast: Forecast, price: Price | None) -> Cost:
        return cls(
            price=price.per_gb_month if price else None,
            currency=price.currency if price else "",
            growth=round(forecast.growth.per_day, 3),
            held=tuple(HeldDocument.of(held, price) for held in (forecast.now, *forecast.later)),
        )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
