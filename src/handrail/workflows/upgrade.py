"""The guarded run: lint, lock, backup, verify, rehearse, apply, prove, health; brought back when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from handrail.backups.record import BackupRecord
from handrail.errors import (
    BackupError,
    BroughtBack,
    HandrailError,
    Interruption,
    LintRefused,
    RehearsalFailed,
    UsageError,
)
from handrail.facts import DatabaseFacts, WriteActivity
from handrail.guard.plan import ApplyPlan, Refusal, StepKind, plan_apply
from handrail.health_check import HealthResult
from handrail.journal.journal import EventKind
from handrail.lint.finding import Finding, remaining
from handrail.migrations.revision import RevisionPath, named
from handrail.migrator.migrator import ProjectFacts
from handrail.rehearsal.compare import Verdict
from handrail.workflows.apply import apply_path, prove_after
from handrail.workflows.around import Around, Nothing
from handrail.workflows.backup import make_backup, restored, verified_copy
from handrail.workflows.bring_back import Ask, WayBack, bring_back
from handrail.workflows.hosted_backup import BESIDE, as_copied, hosted_policy, snapshot_request
from handrail.workflows.lint_path import lint_path
from handrail.workflows.rehearse import Rehearsal, read_warnings, rehearse
from handrail.workflows.run import Equipment, Listener, Run, begun_run, check_nothing_open, stands_at


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for. `ask` is None when nobody can be asked."""

    command: str
    path: RevisionPath
    project: ProjectFacts
    ask: Ask = None
    with_lint: bool = True
    with_backup: bool = True
    around: Around = field(default_factory=Nothing)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run did. With nothing pending `run_id` is "" and nothing was taken, backed up or written."""

    path: RevisionPath
    run_id: str = ""
    backup: BackupRecord | None = None
    rehearsal: Rehearsal | None = None
    proof: Verdict | None = None
    health: HealthResult | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class _Evidence:
    """What the steps so far have produced."""

    activity: WriteActivity
    backup: BackupRecord | None = None
    snapshot: BackupRecord | None = None
    rehearsal: Rehearsal | None = None

    @property
    def before(self) -> BackupRecord | None:
        """What is known of the database before the run."""
        return self.backup or self.snapshot


def marker_warnings_of(kit: Equipment, request: Request) -> tuple[str, ...]:
    """What is wrong with the markers of the pending scripts, for a plan; nothing is touched."""
    return read_warnings(request.path, _facts_now(kit, request))


def _facts_now(kit: Equipment, request: Request) -> DatabaseFacts | None:
    exists = not request.project.database_missing and kit.database.exists()
    return kit.database.facts() if exists else None


def make_plan(kit: Equipment, request: Request) -> tuple[ApplyPlan | Refusal, tuple[Finding, ...]]:
    """The plan that `guarded_run` would follow, and all findings; nothing is touched."""
    facts = _facts_now(kit, request)
    findings = lint_path(request.project, request.path, kit.database, facts, kit.lint_settings)
    stops = remaining(findings, kit.lint_level) if request.with_lint else ()
    has_data = bool(facts and facts.tables) and request.with_backup
    policy = hosted_policy(kit) if has_data and kit.policy.backup != "off" else kit.policy
    return plan_apply(request.path, stops, policy, kit.database.capabilities, has_data=has_data), findings


def guarded_run(kit: Equipment, request: Request, listener: Listener) -> Outcome:
    """Do the path, or leave the database as it was. Raises HandrailError; its exit code says in what state it is."""
    if request.path.is_empty:
        return Outcome(request.path)
    plan, findings = make_plan(kit, request)
    if isinstance(plan, Refusal):
        raise refused(plan)
    kit.database.require_writable()
    begun = kit.clock()
    with settled_run(kit, listener, request) as run:
        _check_unmoved(run, request)
        outcome = _locked_run(run, request, plan)
    seconds = (kit.clock() - begun).total_seconds()
    return replace(outcome, run_id=run.id, findings=findings, warnings=tuple(run.warnings), seconds=seconds)


@contextmanager
def settled_run(kit: Equipment, listener: Listener, request: Request) -> Iterator[Run]:
    """A run that moves code or database: journalled, the only one on its database, and begun only where no other waits
    to be settled. When the block fails it is ended all the same, unless `recover` has to settle it."""
    data = {**described(request.path), **request.around.data()}
    with begun_run(kit, listener, request.command, data) as run:
        try:
            with run.lock():
                check_nothing_open(run)
                yield run
        except BaseException as error:
            if run_is_settled(kit, run.id):
                run.try_note(EventKind.RUN_ENDED, data={"result": type(error).__name__})
            raise
        run.end("done")


def run_is_settled(kit: Equipment, run_id: str) -> bool:
    """False while the database of this run may be neither old nor new, or a withheld restore waits for a decision."""
    journalled = next((item for item in kit.journal.runs() if item.run_id == run_id), None)
    if journalled is None:
        return True
    if journalled.last(EventKind.WITHHELD):
        return False
    has_begun = journalled.last(EventKind.STEP_STARTED, "apply") is not None
    return not has_begun or journalled.last(EventKind.UNDO_DONE) is not None


def refused(refusal: Refusal) -> HandrailError:
    """The error of a run that is not begun."""
    error: HandrailError = LintRefused("the pending scripts are refused", why="; ".join(refusal.reasons))
    if refusal.exit_code is not LintRefused.exit_code:
        error = UsageError("the run is refused", why="; ".join(refusal.reasons))
    error.hint = refusal.way_out
    return error


def described(path: RevisionPath) -> dict[str, str]:
    """The path for the run's first event, so that it can be settled by the journal alone."""
    return {
        "direction": path.direction.value,
        "start": ",".join(path.start),
        "target": ",".join(path.target),
        "revisions": ",".join(revision.id for revision in path.revisions),
    }


def _check_unmoved(run: Run, request: Request) -> None:
    now = stands_at(run.equipment.database)
    if now != tuple(sorted(request.path.start)):
        raise UsageError(
            f"the database moved to {named(now)} while this run was waiting",
            why="another upgrade has finished in between",
            hint="run the same command again",
            code="HR201",
        )


def _locked_run(run: Run, request: Request, plan: ApplyPlan) -> Outcome:
    database = run.equipment.database
    evidence = _Evidence(database.activity() if database.exists() else WriteActivity())
    made_of = next((kind for kind in (StepKind.BACKUP, StepKind.SNAPSHOT) if plan.step(kind)), None)
    if made_of is not None:
        with _may_be_missed(run, plan, made_of):
            _back_up_and_rehearse(run, request, plan, evidence)
    if evidence.rehearsal is None:
        for text in read_warnings(request.path, evidence.before.facts if evidence.before else None):
            run.warn("apply", text)
    applying = plan.step(StepKind.APPLY)
    way = WayBack(
        request.project,
        request.path,
        applying.undo if applying else (),
        evidence.backup,
        evidence.rehearsal is not None and evidence.rehearsal.report.downgrade_proven,
        evidence.snapshot,
    )
    try:
        request.around.before_apply(run)
        applied = apply_path(run, request.project, request.path, evidence.before, evidence.rehearsal)
        proof = prove_after(run, request.path, applied, evidence.activity, evidence.before, evidence.rehearsal)
        request.around.after_proof(run)
        health = check_health(run) if plan.step(StepKind.HEALTH) else None
        request.around.after_health(run)
    except (Exception, KeyboardInterrupt) as error:
        with run.equipment.shield():
            ended = _taken_back(run, way, cause_of(error), request.ask)
            raise request.around.after_trouble(run, ended) from error
    return Outcome(request.path, backup=evidence.before, rehearsal=evidence.rehearsal, proof=proof, health=health)


def _taken_back(run: Run, way: WayBack, cause: HandrailError, ask: Ask) -> HandrailError:
    """As `bring_back`; where the apply was never begun, there is nothing to bring back unless somebody else moved the
    database (a deploy command that upgrades it)."""
    kit = run.equipment
    journalled = next((item for item in kit.journal.runs() if item.run_id == run.id), None)
    has_begun = journalled is not None and journalled.last(EventKind.STEP_STARTED, "apply") is not None
    if has_begun or stands_at(kit.database) != way.start:
        return bring_back(run, way, cause, ask)
    return untouched(cause)


def untouched(cause: HandrailError) -> BroughtBack:
    """The error of a run that failed before it came to the database."""
    why = f"{cause.why.rstrip('.')}. " if cause.why else ""
    return BroughtBack(cause.message, why=f"{why}The database was not touched.", hint=cause.hint, code=cause.code)


def cause_of(error: BaseException) -> HandrailError:
    """What went wrong while applying, as an error of ours: a defect of handrail's must not leave a run half done."""
    if isinstance(error, HandrailError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return HandrailError(f"the run was {error.what if isinstance(error, Interruption) else 'cancelled'}")
    return HandrailError(f"unexpected {type(error).__name__}: {error}", hint="HANDRAIL_DEBUG=1 shows where")


def _back_up_and_rehearse(run: Run, request: Request, plan: ApplyPlan, evidence: _Evidence) -> None:
    reason = f"{request.path.direction.value} to {named(request.path.target)}"
    if plan.step(StepKind.SNAPSHOT):
        with _may_be_missed(run, plan, StepKind.SNAPSHOT):
            evidence.snapshot = make_backup(run, reason, snapshot_request(request.path), beside=BESIDE)
    if plan.step(StepKind.BACKUP):
        evidence.backup = make_backup(run, reason)
    backup = evidence.before
    if backup is None:
        return
    with verified_copy(run, backup) as copy:
        if plan.step(StepKind.REHEARSE):
            backup = as_copied(backup, copy)
            with _may_be_missed(run, plan, StepKind.REHEARSE):
                evidence.rehearsal = rehearse(
                    run, request.project, request.path, backup, copy, lambda: restored(run, backup)
                )


@contextmanager
def _may_be_missed(run: Run, plan: ApplyPlan, kind: StepKind) -> Iterator[None]:
    """Turn a step that could not be *done* into a warning where the policy says optional. A rehearsal that failed,
    or a backup that proved wrong, always stops the run."""
    step = plan.step(kind)
    try:
        yield
    except RehearsalFailed:
        raise
    except BackupError as error:
        if step is None or not step.may_be_missed or error.code in ("HR520", "HR521"):
            raise
        run.warn(kind.value, f"{error.message} ({error.why}); going on: {kind.value} is optional here")


def check_health(run: Run) -> HealthResult:
    """Ask the application. Raises HandrailError when it is not well."""
    check = run.equipment.health
    if check is None:
        return HealthResult(True, "no health check is configured")
    with run.step("health", "asking the application whether it is well") as done:
        result = check()
        if not result.is_well:
            raise HandrailError(
                "the application is not well after the upgrade",
                why=result.detail,
                hint="look at the application's log; the upgrade itself had succeeded",
                code="HR730",
            )
        done["text"] = result.detail
    return result
