"""The plan of a deployment, and what is left to a person, with literals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.facts import Capability
from handrail.guard.deploy import CodeCommands, CodeLeft, Reversal, StepsSeen, code_left, plan_deploy, plan_reversal
from handrail.guard.plan import ApplyPlan, Policy, Step, StepKind, Undo, plan_apply
from handrail.migrations.revision import Direction, Revision, RevisionPath

ALL = CodeCommands("./deploy", "./undo", "./restart", "./smoke")
PATH = RevisionPath(Direction.UPGRADE, ("a",), ("b",), (Revision("b", ("a",), "", "b.py", ""),))
NOTHING = RevisionPath(Direction.UPGRADE, ("b",), ("b",), ())
COMMANDS = st.builds(CodeCommands, st.just("./deploy"), *[st.sampled_from(["", "./it"])] * 3)
NEEDS = st.sampled_from(["required", "optional", "off"])


def upgrade(policy: Policy) -> ApplyPlan:
    made = plan_apply(PATH, (), policy, frozenset({Capability.TRANSACTIONAL_DDL}), has_data=True)
    assert isinstance(made, ApplyPlan)
    return made


def test_code_alone() -> None:
    undo = (Undo.CODE, Undo.RESTART)
    assert plan_deploy(NOTHING, None, ALL, has_health=True, watch=60).steps == (
        Step(StepKind.LOCK, "one handrail run per database at a time", (Undo.RELEASE_LOCK,)),
        Step(StepKind.DEPLOY, "`./deploy`; no revision is pending", undo),
        Step(StepKind.RESTART, "`./restart`", undo),
        Step(StepKind.HEALTH, "the application must answer in time", undo),
        Step(StepKind.SMOKE, "`./smoke` must exit 0", undo),
        Step(StepKind.WATCH, "it must stay well for 60 s", undo),
    )


@given(COMMANDS, NEEDS, NEEDS, st.sampled_from(["auto", "never"]), st.booleans(), st.sampled_from([0.0, 9.0]))
def test_the_order_holds_and_the_database_goes_back_first(
    commands: CodeCommands, backup: str, rehearse: str, restore: str, has_health: bool, watch: float
) -> None:
    guarded = upgrade(Policy("production", backup, rehearse, restore, has_health))
    steps = plan_deploy(PATH, guarded, commands, has_health=has_health, watch=watch).steps
    kinds = [step.kind for step in steps]
    assert kinds == [kind for kind in StepKind if kind in kinds]
    assert {StepKind.LINT, StepKind.LOCK, StepKind.DEPLOY, StepKind.APPLY, StepKind.PROVE} <= set(kinds)
    assert {step.kind for step in guarded.steps} <= set(kinds)
    for step in steps:
        assert list(step.undo) == [undo for undo in Undo if undo in step.undo]
        is_past_code = kinds.index(step.kind) >= kinds.index(StepKind.DEPLOY)
        assert (Undo.CODE in step.undo) == (is_past_code and commands.undo != "")
        assert (Undo.RESTART in step.undo) == (Undo.CODE in step.undo and commands.restart != "")


@pytest.mark.parametrize(
    ("commands", "has_begun", "is_back", "expected"),
    [
        (ALL, False, True, Reversal()),
        (ALL, True, True, Reversal((Undo.CODE, Undo.RESTART))),
        (CodeCommands("./deploy", "./undo"), True, True, Reversal((Undo.CODE,))),
        (
            CodeCommands("./deploy", restart="./restart"),
            True,
            True,
            Reversal(
                why_not="The new code stays: no command is configured that takes it back (--undo)",
                to_type=("(what puts the previous code back)", "./restart"),
            ),
        ),
        (
            ALL,
            True,
            False,
            Reversal(
                why_not="The new code stays with the database: the two have to fit each other",
                to_type=("handrail recover (it says what is to be done about the code then)",),
            ),
        ),
    ],
)
def test_reversal(commands: CodeCommands, has_begun: bool, is_back: bool, expected: Reversal) -> None:
    assert plan_reversal(commands, has_begun=has_begun, is_database_back=is_back) == expected


@pytest.mark.parametrize(
    ("begun", "done", "is_new", "expected"),
    [
        ("backup", "backup", False, None),
        (
            "deploy",
            "",
            True,
            CodeLeft(
                "`./deploy` was under way and may still be running; nobody knows how far it came",
                ("./deploy", "./restart", "./smoke"),
            ),
        ),
        (
            "deploy",
            "",
            False,
            CodeLeft("the new code was deployed, at least in part, and does not fit", ("./undo", "./restart")),
        ),
        (
            "deploy apply prove restart",
            "deploy apply prove",
            True,
            CodeLeft("the new code was deployed; restart was not done, smoke was not done", ("./restart", "./smoke")),
        ),
        (
            "deploy restart smoke",
            "deploy restart",
            True,
            CodeLeft("the new code was deployed; smoke failed", ("./smoke",)),
        ),
        (
            "deploy restart smoke watch",
            "deploy restart smoke",
            True,
            CodeLeft("the new code was deployed; look whether the application is well"),
        ),
        (
            "deploy restart,undo code",
            "deploy restart",
            False,
            CodeLeft("the new code was being taken back", ("./undo", "./restart")),
        ),
        (
            "deploy,undo code,undo restart",
            "deploy,undo code",
            True,
            CodeLeft("the code was taken back; the application was not restarted", ("./restart",)),
        ),
        (
            "deploy,undo code,undo restart",
            "deploy,undo code,undo restart",
            False,
            CodeLeft("the code was taken back; look whether the application is well"),
        ),
    ],
)
def test_what_an_interrupted_deployment_leaves(begun: str, done: str, is_new: bool, expected: CodeLeft | None) -> None:
    seen = StepsSeen(_steps(begun), _steps(done), frozenset({"smoke"}) & _steps(begun) - _steps(done))
    assert code_left(ALL, seen, is_database_new=is_new) == expected


def _steps(text: str) -> frozenset[str]:
    first, *undone = text.split(",")
    return frozenset({*first.split(), *undone})


@given(COMMANDS)
def test_commands_survive_a_journal(commands: CodeCommands) -> None:
    assert CodeCommands.of({"command": "deploy", **commands.data()}) == commands
