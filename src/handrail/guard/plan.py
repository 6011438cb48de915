"""The apply plan: which steps a guarded run takes, why, and what undoes each; or a refusal with a way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from handrail.errors import ExitCode
from handrail.facts import Capability
from handrail.lint.finding import Finding
from handrail.migrations.revision import Direction, RevisionPath


class StepKind(StrEnum):
    LINT = "lint"
    LOCK = "lock"
    SNAPSHOT = "snapshot"
    BACKUP = "backup"
    VERIFY = "verify"
    REHEARSE = "rehearse"
    #: Of a deployment: the user's command that brings the new code.
    DEPLOY = "deploy"
    APPLY = "apply"
    PROVE = "prove"
    RESTART = "restart"
    HEALTH = "health"
    SMOKE = "smoke"
    WATCH = "watch"


class Undo(StrEnum):
    """What takes a step back. After a failed apply they are tried in this order."""

    RELEASE_LOCK = "release the lock"
    DELETE_PARTIAL = "delete the partial backup"
    DROP_SCRATCH = "drop the scratch database"
    ROLLBACK = "roll the transaction back"
    DOWNGRADE = "downgrade, as proven by the rehearsal"
    RESTORE = "restore this run's backup"
    RESTORE_NEW = "restore this run's snapshot as a new instance"
    CODE = "take the code back"
    RESTART = "restart the application again"

    @property
    def step(self) -> str:
        """What the journal calls it."""
        return f"undo {self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `reason` says why it is done this way."""

    kind: StepKind
    reason: str
    undo: tuple[Undo, ...] = ()
    #: When it cannot be done the run goes on with a warning (`optional` in the policy); never for a failed rehearsal.
    may_be_missed: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the environment asks for. Each of the first two: "required", "optional" or "off"; restore: "auto", "ask"
    or "never".

    `snapshot`: RDS hosts the database, so a snapshot comes first. `on_instance`: it is also what is proven and
    rehearsed on, as a temporary instance, in place of a dump."""

    environment: str
    backup: str
    rehearse: str
    restore: str
    has_health_check: bool = False
    snapshot: bool = False
    on_instance: bool = False


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """Ordered steps for a path; a dry run prints them, a run does them."""

    path: RevisionPath
    steps: tuple[Step, ...]

    def step(self, kind: StepKind) -> Step | None:
        return next((step for step in self.steps if step.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stop before anything was touched: reasons, the way out, the exit code."""

    reasons: tuple[str, ...]
    way_out: str
    exit_code: ExitCode


def plan_apply(
    path: RevisionPath,
    findings: Sequence[Finding],
    policy: Policy,
    capabilities: frozenset[Capability],
    *,
    has_data: bool,
) -> ApplyPlan | Refusal:
    """The plan of a guarded run, or why it is refused.

    `findings` are those that remain at the configured level. `has_data` is False for a database without tables: there
    is nothing to lose, so nothing is backed up or rehearsed.
    """
    if findings:
        return Refusal(
            tuple(f"{finding.rule} {finding.file}:{finding.line} {finding.message}" for finding in findings),
            _way_out(findings),
            ExitCode.LINT_REFUSED,
        )
    if Capability.TRANSACTIONAL_DDL not in capabilities:
        return Refusal(
            ("this engine cannot roll back a schema change",),
            "handrail guards SQLite and PostgreSQL",
            ExitCode.USAGE,
        )
    with_backup = has_data and policy.backup != "off"
    steps = [
        Step(StepKind.LINT, f"{len(path.revisions)} pending, nothing that stops the run"),
        Step(StepKind.LOCK, "one handrail run per database at a time", (Undo.RELEASE_LOCK,)),
        *(_backup_steps(policy) if with_backup else ()),
        *(_rehearse_steps(policy) if with_backup and policy.rehearse != "off" else ()),
        Step(StepKind.APPLY, _apply_reason(capabilities), _undo(path, policy, with_backup=with_backup)),
        Step(StepKind.PROVE, _prove_reason(capabilities), _undo(path, policy, with_backup=with_backup)),
    ]
    if policy.has_health_check:
        steps.append(
            Step(
                StepKind.HEALTH,
                "the application must answer in time",
                tuple(item for item in _undo(path, policy, with_backup=with_backup) if item is not Undo.ROLLBACK),
            )
        )
    return ApplyPlan(path, tuple(steps))


def _way_out(findings: Sequence[Finding]) -> str:
    fixes = [
        f"in {finding.file} line {finding.line} write {finding.fix_hint}" for finding in findings if finding.fix_hint
    ]
    return "; ".join([*fixes, "then run the same command again (--no-lint rehearses the script as it is)"])


def _backup_steps(policy: Policy) -> tuple[Step, ...]:
    optional = policy.backup == "optional"
    reason = f"{policy.backup} in {policy.environment}"
    where = "as a temporary instance" if policy.on_instance else "into a scratch database"
    steps = [Step(StepKind.SNAPSHOT, reason, (Undo.DELETE_PARTIAL,), may_be_missed=optional)] if policy.snapshot else []
    if not policy.on_instance:
        steps.append(Step(StepKind.BACKUP, reason, (Undo.DELETE_PARTIAL,), may_be_missed=optional))
    return (
        *steps,
        Step(
            StepKind.VERIFY,
            f"restored {where}, fingerprint equal to the source's",
            (Undo.DROP_SCRATCH,),
            may_be_missed=optional,
        ),
    )


def _rehearse_steps(policy: Policy) -> tuple[Step, ...]:
    return (
        Step(
            StepKind.REHEARSE,
            "on the restored copy, forwards and back where it can",
            (Undo.DROP_SCRATCH,),
            may_be_missed=policy.rehearse == "optional",
        ),
    )


def _undo(path: RevisionPath, policy: Policy, *, with_backup: bool) -> tuple[Undo, ...]:
    undo = [Undo.ROLLBACK]
    if with_backup and policy.rehearse != "off" and path.direction is Direction.UPGRADE:
        undo.append(Undo.DOWNGRADE)
    if with_backup and policy.restore != "never":
        undo += [] if policy.on_instance else [Undo.RESTORE]
        undo += [Undo.RESTORE_NEW] if policy.snapshot else []
    return tuple(undo)


def _apply_reason(capabilities: frozenset[Capability]) -> str:
    if Capability.WHOLE_RUN_TRANSACTION in capabilities:
        return "all revisions in one transaction that holds the write lock"
    return "one transaction per revision, waits for locks bounded by lock_timeout"


def _prove_reason(capabilities: frozenset[Capability]) -> str:
    if Capability.CONCURRENT_WRITERS in capabilities:
        return "exact for tables the revision locks, by counts and statistics for those others write to"
    return "exact for every table, inside the transaction"
