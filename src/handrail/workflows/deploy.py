"""A deployment: the guarded upgrade, with the code deployed before the apply, and restart and health after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from handrail.command import CommandResult, Commands
from handrail.errors import BroughtBack, HandrailError, NotBroughtBack
from handrail.guard.deploy import CodeCommands, Reversal, plan_deploy, plan_reversal
from handrail.guard.plan import ApplyPlan, Refusal, StepKind, Undo
from handrail.health_check import HealthCheck, HealthResult
from handrail.journal.journal import EventKind
from handrail.lint.finding import Finding
from handrail.migrations.revision import RevisionPath, named
from handrail.migrator.migrator import ProjectFacts
from handrail.redaction import redacted
from handrail.workflows.run import Equipment, Listener, Run, stands_at
from handrail.workflows.upgrade import (
    Outcome,
    Request,
    cause_of,
    check_health,
    guarded_run,
    make_plan,
    settled_run,
    untouched,
)


@dataclass(frozen=True, slots=True)
class Ran:
    """One command of a deployment and how it ended, in one line."""

    step: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CodeKit:
    """What a deployment needs beside the equipment of an upgrade. `watch` asks for health again and again, for
    `watch_seconds`; None when nothing is to be watched."""

    commands: CodeCommands
    runner: Commands
    watch: HealthCheck | None = None
    watch_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a finished deployment did. `upgrade` is empty when nothing was pending."""

    upgrade: Outcome
    commands: tuple[Ran, ...]
    watched: HealthResult | None
    output: str


def make_deploy_plan(
    kit: Equipment, code: CodeKit, request: Request
) -> tuple[ApplyPlan | Refusal, tuple[Finding, ...]]:
    """The plan that `deploy` would follow, and all findings; nothing is touched."""
    upgrade: ApplyPlan | Refusal | None = None
    findings: tuple[Finding, ...] = ()
    if not request.path.is_empty:
        upgrade, findings = make_plan(kit, request)
    if isinstance(upgrade, Refusal):
        return upgrade, findings
    commands = CodeCommands.of(_shown(code.commands))
    has_health, watch = kit.health is not None, code.watch_seconds
    return plan_deploy(request.path, upgrade, commands, has_health=has_health, watch=watch), findings


def deploy(kit: Equipment, code: CodeKit, request: Request, target: str, listener: Listener) -> Deployed:
    """Do the plan, or leave code and database as they were. Raises HandrailError: exit code 7 when both are as before,
    8 when one of them is not. `target` is the revision as it was asked for."""
    around = CodeAround(code, request.project, request.path, target)
    request = replace(request, around=around)
    if request.path.is_empty:
        outcome = _code_alone(kit, around, request, listener)
    else:
        outcome = guarded_run(kit, request, listener)
    return Deployed(outcome, tuple(around.ran), around.watched, code.runner.kept(outcome.run_id))


def _code_alone(kit: Equipment, around: CodeAround, request: Request, listener: Listener) -> Outcome:
    """No revision is pending: code alone, still the only run on the database."""
    begun = kit.clock()
    with settled_run(kit, listener, request) as run:
        health = _through(run, around)
    seconds = (kit.clock() - begun).total_seconds()
    return Outcome(request.path, run.id, health=health, warnings=tuple(run.warnings), seconds=seconds)


def _through(run: Run, around: CodeAround) -> HealthResult | None:
    try:
        around.before_apply(run)
        around.after_proof(run)
        health = check_health(run) if run.equipment.health else None
        around.after_health(run)
    except (Exception, KeyboardInterrupt) as error:
        with run.equipment.shield():
            raise around.after_trouble(run, _without_backup(run, around.path, cause_of(error))) from error
    return health


def _without_backup(run: Run, path: RevisionPath, cause: HandrailError) -> HandrailError:
    """Nothing was pending, so nothing was backed up: a database that moved all the same waits for a decision."""
    now, start = stands_at(run.equipment.database), tuple(sorted(path.start))
    if now == start:
        return untouched(cause)
    reason = f"the database is at {named(now)}, and this run has no backup"
    run.try_note(EventKind.WITHHELD, data={"reasons": reason, "cause": cause.message})
    return NotBroughtBack(cause.message, why=f"{cause.why}; {reason}".lstrip("; "), hint=cause.hint, code=cause.code)


def _shown(commands: CodeCommands) -> dict[str, str]:
    return {name: redacted(text) for name, text in commands.data().items()}


@dataclass(slots=True)
class CodeAround:
    """The code's part of a run: deploys before the apply, restarts after the proof, takes back after trouble."""

    code: CodeKit
    project: ProjectFacts
    path: RevisionPath
    target: str
    has_begun: bool = False
    ran: list[Ran] = field(default_factory=list)
    watched: HealthResult | None = None

    def data(self) -> Mapping[str, str]:
        return _shown(self.code.commands)

    def before_apply(self, run: Run) -> None:
        """Deploy the code. Whatever the command did to the scripts or the database, what is applied afterwards is what
        was rehearsed, or nothing."""
        run.say("deploy", f"output is kept in {self.code.runner.kept(run.id)}")
        self._do(run, StepKind.DEPLOY, self.code.commands.deploy, "look at its output, repair it, then deploy again")
        run.say("deploy", "looking at the scripts and the database again")
        self._require_unmoved(run)
        self._require_same_scripts(run)

    def after_proof(self, run: Run) -> None:
        """Start the application anew."""
        if self.code.commands.restart:
            self._do(run, StepKind.RESTART, self.code.commands.restart, "look at the application's log")

    def after_health(self, run: Run) -> None:
        """Try what the application is for, and watch it for a while."""
        if self.code.commands.smoke:
            self._do(run, StepKind.SMOKE, self.code.commands.smoke, "look at its output and the application's log")
        if self.code.watch is None:
            return
        with run.step("watch", f"watching the application for {self.code.watch_seconds:g} s") as done:
            self.watched = self.code.watch()
            if not self.watched.is_well:
                raise HandrailError(
                    "the application did not stay well",
                    why=self.watched.detail,
                    hint="look at the application's log",
                    code="HR734",
                )
            done["text"] = self.watched.detail

    def after_trouble(self, run: Run, ended: HandrailError) -> HandrailError:
        """Take the code back once the database is; code and database are never parted knowingly."""
        is_back = isinstance(ended, BroughtBack)
        reversal = plan_reversal(self.code.commands, has_begun=self.has_begun, is_database_back=is_back)
        if not self.has_begun:
            return ended
        kept = f"The commands' output is in {self.code.runner.kept(run.id)}."
        if reversal.why_not:
            return _not_whole(ended, f"{reversal.why_not}. {kept}", reversal)
        told, failed = self._undo(run, reversal)
        if failed:
            left = tuple(_shown(self.code.commands)[_WORD[one]] for one in reversal.actions[failed - 1 :])
            return _not_whole(ended, f"{told}. {kept}", replace(reversal, to_type=left))
        why = f"{_sentence(ended.why)} The code was taken back: {told}. {kept}".strip()
        hint = ended.hint or "repair the code or the script, then deploy again"
        return BroughtBack(ended.message, why=why, hint=hint, code="HR702")

    def _do(self, run: Run, kind: StepKind, command: str, hint: str) -> None:
        with run.step(kind.value, f"running `{redacted(command)}`") as done:
            self.has_begun = True
            result = self.code.runner.run(command, run.id, lambda line: run.say(kind.value, line))
            self.ran.append(Ran(kind.value, result.detail, round(result.seconds, 3)))
            if not result.is_well:
                raise HandrailError(f"the {kind.value} command failed", why=result.detail, hint=hint, code=_CODES[kind])
            done["text"] = result.detail

    def _require_unmoved(self, run: Run) -> None:
        now, start = stands_at(run.equipment.database), tuple(sorted(self.path.start))
        if now != start:
            raise HandrailError(
                f"the deploy command moved the database from {named(start)} to {named(now)}",
                why="nothing that was checked here guarded it",
                hint="take the upgrade out of the deploy command: handrail upgrades, after it and guarded",
                code="HR735",
            )

    def _require_same_scripts(self, run: Run) -> None:
        now = run.equipment.migrator.describe(self.target)
        changed = _changed(self.path, now.path)
        if now.address != self.project.address:
            changed = [f"env.py opens {now.address} now"]
        if changed:
            raise HandrailError(
                "the deploy command changed what is to be applied",
                why=f"{'; '.join(changed)}: that was neither reviewed nor rehearsed",
                hint="run handrail from a checkout that holds the new scripts before the deploy command begins",
                code="HR736",
            )

    def _undo(self, run: Run, reversal: Reversal) -> tuple[str, int]:
        """Do the actions; what was done in words, and the number of the one that failed (0 for none)."""
        told: list[str] = []
        for number, action in enumerate(reversal.actions, start=1):
            command = self.code.commands.data()[_WORD[action]]
            result = self._undone(run, action, command)
            told.append(result.detail)
            if not result.is_well:
                return f"The code was not taken back, or not wholly: {'; '.join(told)}", number
        health = run.equipment.health
        if health is None or Undo.RESTART not in reversal.actions:
            return "; ".join(told), 0
        answer = _asked_again(run, health)
        if not answer.is_well:
            return f"The code was taken back ({'; '.join(told)}), but it is not well: {answer.detail}", len(told)
        return "; ".join((*told, answer.detail)), 0

    def _undone(self, run: Run, action: Undo, command: str) -> CommandResult:
        """Run a command that takes back. The journal may fail here: what is undone matters more."""
        run.try_note(EventKind.STEP_STARTED, action.step)
        run.say(action.step, f"running `{redacted(command)}`", "started")
        result = self.code.runner.run(command, run.id, lambda line: run.say(action.step, line))
        self.ran.append(Ran(action.step, result.detail, round(result.seconds, 3)))
        run.try_note(EventKind.STEP_DONE if result.is_well else EventKind.STEP_FAILED, action.step)
        run.say(action.step, result.detail, "done" if result.is_well else "failed")
        return result


#: The command of each action, by the name that CodeCommands gives it.
_WORD = {Undo.CODE: "undo", Undo.RESTART: "restart"}
_CODES = {StepKind.DEPLOY: "HR731", StepKind.RESTART: "HR732", StepKind.SMOKE: "HR733"}


def _asked_again(run: Run, health: HealthCheck) -> HealthResult:
    run.say("undo health", "asking the application whether it is well", "started")
    answer = health()
    run.try_note(EventKind.STEP_DONE if answer.is_well else EventKind.STEP_FAILED, "undo health")
    run.say("undo health", answer.detail, "done" if answer.is_well else "failed")
    return answer


def _changed(rehearsed: RevisionPath, now: RevisionPath | None) -> list[str]:
    """How the path differs from the one that was rehearsed, in words; [] when it does not."""
    if now is None:
        return ["there is no way to the target any more"]
    before = {revision.id: revision.source for revision in rehearsed.revisions}
    after = {revision.id: revision.source for revision in now.revisions}
    found = [f"{one} is pending now" for one in after if one not in before]
    found += [f"{one} is not pending any more" for one in before if one not in after]
    found += [f"the script of {one} is another one" for one in before if one in after and before[one] != after[one]]
    if not found and list(before) != list(after):
        found = [f"the order is {', '.join(after)} now"]
    return found


def _not_whole(ended: HandrailError, what: str, reversal: Reversal) -> NotBroughtBack:
    """Database or code is not as before; what a person has to type, in order."""
    why = f"{_sentence(ended.why)} {what}".strip()
    typed = "; then ".join(map(redacted, reversal.to_type))
    hint = typed if isinstance(ended, NotBroughtBack) else f"look at the output, then type: {typed}"
    code = "HR811" if isinstance(ended, BroughtBack) else ended.code
    return NotBroughtBack(ended.message, why=why, hint=hint, code=code)


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""
