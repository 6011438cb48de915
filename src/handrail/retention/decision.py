"""What is decided about one backup and why: typed reasons, and in one place the words for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handrail.retention.candidate import Candidate
from handrail.retention.periods import Span, latest, name_of


class Rule(StrEnum):
    """What speaks about a backup. The first nine are the policy's, the others hold whatever the policy says."""

    LAST = "last"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    WITHIN = "within"
    PRE_MIGRATION = "pre-migration"
    MILESTONE = "milestone"
    MINIMUM_VERIFIED = "minimum verified"
    NO_POLICY = "no policy"
    NEWEST = "newest"
    LAST_VERIFIED = "last verified"
    WAY_BACK = "way back"
    IN_USE = "in use"
    PINNED = "pinned"
    NEEDED = "needed"
    NOT_UNDERSTOOD = "not understood"
    FUTURE = "from the future"
    ELSEWHERE = "another database"


#: From the fastest to the slowest, with the periods of which each keeps the newest backup.
TIERS: Mapping[Rule, Span] = {
    Rule.HOURLY: Span.HOUR,
    Rule.DAILY: Span.DAY,
    Rule.WEEKLY: Span.WEEK,
    Rule.MONTHLY: Span.MONTH,
    Rule.YEARLY: Span.YEAR,
}
_ENDLESS = frozenset({Rule.NO_POLICY, Rule.PINNED, Rule.MILESTONE})


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's word about one backup. `keeps` is False for why a rule does not keep it.

    `until` is the earliest moment at which the rule may let it go, in the policy's time zone, however many backups are
    made; None where no date can be told, or never. `limit` is the rule's number or duration as it is written, `what`
    names what the rule speaks of (a milestone, a run), `by` another backup, `at` a moment in the period that a tier
    speaks of; a tier that keeps names it only while the period lasts, as a newer backup of it takes the place.
    """

    rule: Rule
    keeps: bool = True
    until: datetime | None = None
    limit: str = ""
    what: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def text(self) -> str:
        """The reason in words; for people, so they may change."""
        text = self._of_tier() if self.rule in TIERS else self._of_rule()
        if self.until is None:
            return text
        form = "%Y-%m-%d %H:%M" if self.rule is Rule.HOURLY else "%Y-%m-%d"
        return f"{text}{'' if self.rule in TIERS else ','} until {self.until.strftime(form)}"

    def _of_rule(self) -> str:
        words = _KEPT if self.keeps else _NOT_KEPT
        return words[self.rule].format(limit=self.limit, what=self.what, by=self.by)

    def _of_tier(self) -> str:
        period = name_of(self.at, TIERS[self.rule]) if self.at else ""
        if self.keeps:
            return f"{self.rule} (so far the newest of {period})" if period else f"{self.rule}"
        if self.by:
            return f"{self.rule}: {self.by} is kept for {period}"
        return f"{self.rule}: {period} is not among the last {self.limit}"


_KEPT = {
    Rule.LAST: "among the last {limit}",
    Rule.WITHIN: "made within {limit}",
    Rule.PRE_MIGRATION: "made before a migration",
    Rule.MILESTONE: "milestone {what}",
    Rule.MINIMUM_VERIFIED: "among the last {limit} that were proven to restore",
    Rule.NO_POLICY: "no policy says what may go",
    Rule.NEWEST: "the newest backup",
    Rule.LAST_VERIFIED: "the last one that was proven to restore",
    Rule.WAY_BACK: "the way back from {what}",
    Rule.IN_USE: "in use by {what}",
    Rule.PINNED: "pinned{what}",
    Rule.NEEDED: "{by} cannot be restored without it",
    Rule.NOT_UNDERSTOOD: "not understood: {what}",
    Rule.FUTURE: "made in the future, at {what}: a clock is wrong",
    Rule.ELSEWHERE: "of another database, {what}",
}
_NOT_KEPT = {
    Rule.LAST: "not among the last {limit}",
    Rule.WITHIN: "not made within {limit}",
    Rule.PRE_MIGRATION: "made before a migration, over {limit} ago",
    Rule.MILESTONE: "milestone {what}, over {limit} ago",
    Rule.PINNED: "its pin ended on {what}",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one backup is kept, with every reason: what keeps it; or, when nothing does, why no rule does."""

    candidate: Candidate
    keep: bool
    reasons: tuple[Reason, ...]

    @property
    def tier(self) -> Rule | None:
        """The slowest tier that keeps it."""
        kept_by = {reason.rule for reason in self.reasons if reason.keeps}
        return next((tier for tier in reversed(tuple(TIERS)) if tier in kept_by), None)

    @property
    def until(self) -> datetime | None:
        """Until when it is kept at least; None when it goes, is kept for ever, or no date can be told."""
        if any(reason.until is None and reason.rule in _ENDLESS for reason in self.reasons):
            return None
        return latest(reason.until for reason in self.reasons if reason.until and reason.keeps)

    @property
    def text(self) -> str:
        return "; ".join(reason.text for reason in self.reasons)
