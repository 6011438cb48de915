"""The plan of a deployment: the production checklist in order, what undoes each step, and what is left to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from handrail.guard.plan import ApplyPlan, Step, StepKind, Undo
from handrail.migrations.revision import RevisionPath

_CODE_STEPS = (StepKind.DEPLOY, StepKind.RESTART, StepKind.HEALTH, StepKind.SMOKE, StepKind.WATCH)


@dataclass(frozen=True, slots=True)
class CodeCommands:
    """The commands of a deployment; "" for one that there is not."""

    deploy: str
    undo: str = ""
    restart: str = ""
    smoke: str = ""

    def data(self) -> dict[str, str]:
        """For a journal."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name))}

    @classmethod
    def of(cls, data: Mapping[str, str]) -> CodeCommands:
        """What `data` was made of; anything else in it is left alone."""
        return cls(**{item.name: data.get(item.name, "") for item in fields(cls)})


def plan_deploy(
    path: RevisionPath, upgrade: ApplyPlan | None, commands: CodeCommands, *, has_health: bool, watch: float
) -> ApplyPlan:
    """The steps of a deployment around those of the guarded upgrade; `upgrade` is None when nothing is pending.

    The backup is proven and the upgrade rehearsed before the code is touched, so that what can be refused is refused
    while nothing has changed."""
    undo_code = (Undo.CODE, *((Undo.RESTART,) if commands.restart else ())) if commands.undo else ()
    before, after = _parted(upgrade)
    undo_upgrade = tuple(one for one in (after[-1].undo if after else ()) if one is not Undo.ROLLBACK)
    steps = [
        *before,
        Step(StepKind.DEPLOY, f"`{commands.deploy}`{_scripts_stay(upgrade)}", undo_code),
        *(replace(step, undo=(*step.undo, *undo_code)) for step in after),
    ]
    undo = (*undo_upgrade, *undo_code)
    if commands.restart:
        steps.append(Step(StepKind.RESTART, f"`{commands.restart}`", undo))
    if has_health:
        steps.append(Step(StepKind.HEALTH, "the application must answer in time", undo))
    if commands.smoke:
        steps.append(Step(StepKind.SMOKE, f"`{commands.smoke}` must exit 0", undo))
    if watch and has_health:
        steps.append(Step(StepKind.WATCH, f"it must stay well for {watch:g} s", undo))
    return ApplyPlan(path, tuple(steps))


def _parted(upgrade: ApplyPlan | None) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The upgrade's steps before the code is deployed, and after it; its health check comes after the restart."""
    if upgrade is None:
        return (Step(StepKind.LOCK, "one handrail run per database at a time", (Undo.RELEASE_LOCK,)),), ()
    steps = tuple(step for step in upgrade.steps if step.kind is not StepKind.HEALTH)
    at = next(number for number, step in enumerate(steps) if step.kind is StepKind.APPLY)
    return steps[:at], steps[at:]


def _scripts_stay(upgrade: ApplyPlan | None) -> str:
    return "; the pending scripts must stay as they were rehearsed" if upgrade else "; no revision is pending"


@dataclass(frozen=True, slots=True)
class Reversal:
    """What is to be done about the code after trouble, in order; or why nothing is, and what a person has to type."""

    actions: tuple[Undo, ...] = ()
    why_not: str = ""
    to_type: tuple[str, ...] = ()


def plan_reversal(commands: CodeCommands, *, has_begun: bool, is_database_back: bool) -> Reversal:
    """How the code goes back once the database is as it was; it never goes back alone, since nobody knows whether old
    code can work with a database that stays as it is. `has_begun`: the deploy command was started, ended or not."""
    if not has_begun:
        return Reversal()
    if not is_database_back:
        return Reversal(
            why_not="The new code stays with the database: the two have to fit each other",
            to_type=("handrail recover (it says what is to be done about the code then)",),
        )
    if not commands.undo:
        return Reversal(
            why_not="The new code stays: no command is configured that takes it back (--undo)",
            to_type=_way_back(commands),
        )
    return Reversal((Undo.CODE, *((Undo.RESTART,) if commands.restart else ())))


def _way_back(commands: CodeCommands) -> tuple[str, ...]:
    undo = commands.undo or "(what puts the previous code back)"
    return tuple(filter(None, (undo, commands.restart)))


@dataclass(frozen=True, slots=True)
class CodeLeft:
    """What an interrupted deployment did with the code, in words, and what a person has to type."""

    text: str
    to_type: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepsSeen:
    """The names of a run's journalled steps, by how far they came; each that is done or failed has begun."""

    begun: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()


def code_left(commands: CodeCommands, seen: StepsSeen, *, is_database_new: bool) -> CodeLeft | None:
    """What a killed deployment left of the code; None when it had not begun with it.

    `is_database_new` is True when its revisions are committed and
    stay, or none was pending."""
    if StepKind.DEPLOY not in seen.begun:
        return None
    if Undo.CODE.step in seen.begun or not is_database_new:
        return _taking_back(commands, seen)
    if StepKind.DEPLOY not in seen.done:
        return CodeLeft(
            f"`{commands.deploy}` was under way and may still be running; nobody knows how far it came",
            (commands.deploy, *filter(None, (commands.restart, commands.smoke))),
        )
    rest = [
        (kind, command)
        for kind, command in ((StepKind.RESTART, commands.restart), (StepKind.SMOKE, commands.smoke))
        if command and kind not in seen.done
    ]
    if not rest:
        return CodeLeft("the new code was deployed; look whether the application is well")
    how = ", ".join(f"{kind.value} {'failed' if kind in seen.failed else 'was not done'}" for kind, _ in rest)
    return CodeLeft(f"the new code was deployed; {how}", tuple(command for _, command in rest))


def _taking_back(commands: CodeCommands, seen: StepsSeen) -> CodeLeft:
    if Undo.CODE.step not in seen.done:
        how = (
            "was being taken back"
            if Undo.CODE.step in seen.begun
            else "was deployed, at least in part, and does not fit"
        )
        return CodeLeft(f"the new code {how}", _way_back(commands))
    if commands.restart and Undo.RESTART.step not in seen.done:
        return CodeLeft("the code was taken back; the application was not restarted", (commands.restart,))
    return CodeLeft("the code was taken back; look whether the application is well")
