"""What a rehearsal found, as a value: times, locks, rewrites, the verdict, and whether the downgrade is proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handrail.facts import HeldLock, TableName
from handrail.migrations.operations import RevisionRun, SourcePosition
from handrail.migrations.revision import RevisionPath
from handrail.rehearsal.proof import Verdict

#: Lock modes that keep others from writing to a table (they conflict with ROW EXCLUSIVE), weakest first.
BLOCKING_WRITES = ("Share", "ShareRowExclusive", "Exclusive", "AccessExclusive")


@dataclass(frozen=True, slots=True)
class LockHeld:
    """A lock that a revision took, and how long it held it: to the end of its transaction."""

    revision: str
    table: TableName
    mode: str
    seconds: float
    position: SourcePosition

    @property
    def blocks_writes(self) -> bool:
        return self.mode in BLOCKING_WRITES

    def line(self) -> str:
        """ "bookings: AccessExclusive for 1.20 s (versions/x.py:21)"."""
        where = f" ({self.position.path}:{self.position.line})" if self.position.line else ""
        return f"{self.table}: {self.mode} for {self.seconds:.2f} s{where}"


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """One rehearsal. `runs` is the path itself, `runs_back` and `runs_again` the way back and once more, when done.

    `downgrade_proven` is True only when the way back led to the very rows and schema of the start and the path then
    to the same end again; otherwise `reason` says why it is not.
    """

    path: RevisionPath
    runs: tuple[RevisionRun, ...]
    verdict: Verdict
    downgrade_proven: bool = False
    reason: str = ""
    runs_back: tuple[RevisionRun, ...] = ()
    runs_again: tuple[RevisionRun, ...] = ()
    verdict_back: Verdict | None = None

    @property
    def revisions(self) -> tuple[str, ...]:
        return tuple(revision.id for revision in self.path.revisions)

    @property
    def seconds(self) -> float:
        return sum(run.seconds for run in self.runs)

    @property
    def locks(self) -> tuple[LockHeld, ...]:
        """Every lock taken by the path, longest first."""
        held = [lock for run in self.runs for lock in locks_held(run)]
        return tuple(sorted(held, key=lambda lock: (-lock.seconds, str(lock.table), lock.mode)))

    @property
    def rewritten(self) -> tuple[TableName, ...]:
        return tuple(sorted(_rewritten(self.runs), key=str))

    def lines(self) -> tuple[str, ...]:
        """The report for a reader, most important first."""
        number = len(self.runs)
        back = "downgrade proven" if self.downgrade_proven else f"downgrade not proven: {self.reason or 'not tried'}"
        rewritten = ", ".join(str(table) for table in self.rewritten)
        blocking = [lock for lock in self.locks if lock.blocks_writes]
        return (
            f"{number} revision{'' if number == 1 else 's'} in {self.seconds:.2f} s",
            self.verdict.summary(),
            back,
            *(f"writes wait: {lock.line()}" for lock in blocking[:3]),
            *([f"rewritten: {rewritten}"] if rewritten else []),
            *(f"note: {note}" for note in self.verdict.notes),
        )


def summarise(
    path: RevisionPath,
    runs: Sequence[RevisionRun],
    verdict: Verdict,
    *,
    runs_back: Sequence[RevisionRun] = (),
    runs_again: Sequence[RevisionRun] = (),
    verdict_back: Verdict | None = None,
    verdict_again: Verdict | None = None,
    reason: str = "",
) -> RehearsalReport:
    """Draw the conclusions. `reason` says why the way back could not be gone, when it could not."""
    why_not = reason or _why_not(verdict_back, verdict_again)
    return RehearsalReport(
        path=path,
        runs=tuple(runs),
        verdict=verdict,
        downgrade_proven=not why_not,
        reason=why_not,
        runs_back=tuple(runs_back),
        runs_again=tuple(runs_again),
        verdict_back=verdict_back,
    )


def locks_held(run: RevisionRun) -> Iterator[LockHeld]:
    """The locks of a revision; each is held from its statement to the end of the transaction."""
    left = sum(statement.seconds for statement in run.statements)
    for statement in run.statements:
        for lock in sorted(statement.locks):
            yield LockHeld(run.revision, lock.table, lock.mode, left, statement.position)
        left -= statement.seconds


def locks_for_proof(report: RehearsalReport, revision: str, budget_seconds: float) -> tuple[HeldLock, ...]:
    """The tables to digest inside the transaction of `revision`, each with the lock to take before anything else.

    They are tables that the revision locks against writes anyway; those come first that make others wait least. They
    wait longer than the script alone would make them: while both digests are taken, and during the statements before
    the one that takes the lock. The rehearsal has measured both, and together they stay within the budget.

    The lock is the strongest that the rehearsal saw. Taking a weaker one first and the script's own on top of it could
    end another session in a deadlock: one that has read the table, lets the script wait, and now writes to it.
    """
    earlier: dict[TableName, float] = {}
    strongest: dict[TableName, str] = {}
    for run in (run for run in report.runs if run.revision == revision):
        total = sum(statement.seconds for statement in run.statements)
        for lock in (lock for lock in locks_held(run) if lock.blocks_writes):
            if _strength(lock.mode) > _strength(strongest.get(lock.table, "")):
                strongest[lock.table], earlier[lock.table] = lock.mode, total - lock.seconds
    known = [proof for proof in report.verdict.tables if proof.table in strongest and proof.rows_before is not None]
    chosen, digests, waited = [], 0.0, 0.0
    for proof in sorted(known, key=lambda proof: (earlier[proof.table] + proof.seconds, str(proof.table))):
        digests, waited = digests + proof.seconds, max(waited, earlier[proof.table])
        if digests + waited > budget_seconds:
            break
        chosen.append(HeldLock(proof.table, strongest[proof.table]))
    return tuple(sorted(chosen, key=lambda lock: (lock.table.schema or "", lock.table.name)))


def _strength(mode: str) -> int:
    return BLOCKING_WRITES.index(mode) if mode in BLOCKING_WRITES else -1


def _why_not(verdict_back: Verdict | None, verdict_again: Verdict | None) -> str:
    if verdict_back is None:
        return "the way back was not tried"
    if not verdict_back.is_lossless:
        return f"the way back does not lead to the start: {'; '.join(verdict_back.failures)}"
    if verdict_again is not None and not verdict_again.is_lossless:
        return f"the second upgrade ends elsewhere: {'; '.join(verdict_again.failures)}"
    return ""


def _rewritten(runs: Iterable[RevisionRun]) -> set[TableName]:
    return {table for run in runs for statement in run.statements for table in statement.rewritten}
