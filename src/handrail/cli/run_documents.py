"""What commands that move a database print as `result`: rehearse, upgrade, downgrade and deploy."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.guard.plan import Step
from handrail.health_check import HealthResult
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import Direction
from handrail.rehearsal.proof import Verdict
from handrail.rehearsal.report import RehearsalReport
from handrail.workflows.deploy import Deployed, Ran
from handrail.workflows.upgrade import Outcome


@dataclass(frozen=True, slots=True)
class RehearsalDocument:
    """One rehearsal: the path, and the way back and once more when they were done. `reason` says why the downgrade
    is not proven."""

    runs: tuple[RevisionRun, ...]
    verdict: Verdict
    downgrade_proven: bool
    reason: str
    runs_back: tuple[RevisionRun, ...]
    runs_again: tuple[RevisionRun, ...]
    verdict_back: Verdict | None

    @classmethod
    def of(cls, report: RehearsalReport) -> RehearsalDocument:
        return cls(
            report.runs,
            report.verdict,
            report.downgrade_proven,
            report.reason,
            report.runs_back,
            report.runs_again,
            report.verdict_back,
        )


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The backup and the rehearsal on its copy; both null when nothing was pending. `not_proven` names the tables of
    which nothing is proven. With --on: the engine, and the runs of the whole history there."""

    backup: str | None = None
    rehearsal: RehearsalDocument | None = None
    not_proven: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    on: str | None = None
    runs: tuple[RevisionRun, ...] = ()

    @classmethod
    def of(cls, backup: str, report: RehearsalReport, warnings: tuple[str, ...]) -> Rehearsed:
        not_proven = tuple(str(table) for table in report.verdict.not_proven)
        return cls(backup, RehearsalDocument.of(report), not_proven, warnings)


@dataclass(frozen=True, slots=True)
class Moved:
    """A guarded run that is done. With nothing to do `run_id` is "" and `revisions` is empty. `not_proven` names the
    tables of which nothing is proven; null when nothing was compared at all."""

    run_id: str
    direction: Direction
    start: tuple[str, ...]
    target: tuple[str, ...]
    revisions: tuple[str, ...]
    backup: str | None
    rehearsal: RehearsalDocument | None
    proof: Verdict | None
    not_proven: tuple[str, ...] | None
    health: HealthResult | None
    warnings: tuple[str, ...]
    seconds: float

    @classmethod
    def of(cls, outcome: Outcome) -> Moved:
        path = outcome.path
        return cls(
            run_id=outcome.run_id,
            direction=path.direction,
            start=path.start,
            target=path.target,
            revisions=tuple(revision.id for revision in path.revisions),
            backup=outcome.backup.id if outcome.backup else None,
            rehearsal=RehearsalDocument.of(outcome.rehearsal.report) if outcome.rehearsal else None,
            proof=outcome.proof,
            not_proven=tuple(str(table) for table in outcome.proof.not_proven) if outcome.proof else None,
            health=outcome.health,
            warnings=outcome.warnings,
            seconds=round(outcome.seconds, 3),
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that is done, or with --dry-run its `steps` alone. `upgrade` is as of the command `upgrade`, its
    `revisions` empty when none was pending. `commands` are the deployment's own, in the order in which they ended;
    `output` is the file that holds what they printed."""

    steps: tuple[Step, ...] = ()
    upgrade: Moved | None = None
    commands: tuple[Ran, ...] = ()
    watched: HealthResult | None = None
    output: str = ""

    @classmethod
    def of(cls, deployed: Deployed) -> Deployment:
        return cls((), Moved.of(deployed.upgrade), deployed.commands, deployed.watched, deployed.output)
