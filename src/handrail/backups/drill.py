"""A drill as a value: one timed restore, what was checked on the copy, what could not be; and when one is overdue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from handrail.amounts import span
from handrail.backups.catalog import choose
from handrail.backups.record import AnyBackup, Headline


class CheckResult(StrEnum):
    """`not checked` is neither good nor bad: the detail says what is missing."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class DrillCheck:
    """One check of the restored copy and what it found, in words."""

    name: str
    result: CheckResult
    detail: str


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill, its id being that of its run. A document of its own, written once, that outlives the backup.

    `seconds` is the RTO as measured: from the start until the last check had ended. `age` is the RPO: how old the
    backup was, in seconds; `gap` how much older the backup before it is, None when there is none. Of a continuous
    `archive` (its place) `backup` is "", and `age` is how far the archive was behind the database.
    """

    id: str
    at: datetime
    backup: str
    database: str
    seconds: float
    age: float
    gap: float | None
    checks: tuple[DrillCheck, ...]
    archive: str = ""

    @property
    def source(self) -> str:
        """What was restored, in words."""
        return f"the archive {self.archive}" if self.archive else f"backup {self.backup}"

    @property
    def failures(self) -> tuple[DrillCheck, ...]:
        return tuple(check for check in self.checks if check.result is CheckResult.FAILED)

    @property
    def has_passed(self) -> bool:
        """Nothing failed, and the backup at least restored."""
        return not self.failures and any(check.result is CheckResult.PASSED for check in self.checks)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in words; the wording may change."""
        older = "there is none before it" if self.gap is None else f"the one before it is {span(self.gap)} older"
        what = f"how far {self.source} was behind" if self.archive else f"the age of {self.source}; {older}"
        return (
            f"RTO          {span(self.seconds)}, from the start until all below was done",
            f"RPO          {span(self.age)}, {what}",
            *(f"{check.result:<12} {check.name}: {check.detail}" for check in self.checks),
        )


def choose_for_drill(records: Sequence[AnyBackup], wanted: str) -> AnyBackup:
    """The backup that `wanted` names; with "" the newest whole one that was proven to restore, else the newest."""
    if wanted:
        return choose(records, wanted)
    whole = [record for record in records if record.is_whole]
    return choose(whole, "verified" if any(record.is_verified for record in whole) else "latest")


def gap_before(record: Headline, records: Sequence[Headline]) -> float | None:
    """How many seconds older the backup before this one is, of the same database and whole; None without one."""
    older = [
        (record.created_at - one.created_at).total_seconds()
        for one in records
        if one.database == record.database and one.is_whole and one.created_at < record.created_at
    ]
    return min(older, default=None)


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """How old the last backup and the last drill that passed may be; None: as old as they are."""

    backup: timedelta | None = None
    drill: timedelta | None = None


def overdue(
    records: Sequence[Headline], drills: Sequence[Drill], limits: AgeLimits, database: str, now: datetime
) -> Iterator[str]:
    """What is too old, and a last drill that failed, each with what to type; of one database. A backup or drill from
    the future counts for nothing."""
    made = [one.created_at for one in records if one.database == database and one.is_whole and one.created_at <= now]
    yield from _too_old("backup", max(made, default=None), limits.backup, now)
    own = sorted((one for one in drills if one.database == database and one.at <= now), key=lambda one: one.at)
    yield from _too_old("drill", max((one.at for one in own if one.has_passed), default=None), limits.drill, now)
    if own and not own[-1].has_passed:
        why = "; ".join(f"{check.name}: {check.detail}" for check in own[-1].failures)
        yield f"the last drill failed, of {own[-1].source}: {why}"


_NEXT = {"backup": "handrail backup create", "drill": "handrail drill"}


def _too_old(what: str, last: datetime | None, limit: timedelta | None, now: datetime) -> Iterator[str]:
    if limit is None:
        return
    passed = " that passed" if what == "drill" else ""
    if last is None:
        yield f"there is no {what}{passed}, and one every {span(limit.total_seconds())} is asked for: {_NEXT[what]}"
    elif now - last > limit:
        ages = span((now - last).total_seconds()), span(limit.total_seconds())
        yield f"the last {what}{passed} is {ages[0]} old, over {ages[1]}: {_NEXT[what]}"
