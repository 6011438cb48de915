"""The command that gives a restored RDS instance the name of the live one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root
from handrail.errors import ApprovalMissing
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.output import Output
    from handrail.cli.rds_restoring import Here
    from handrail.snapshots.switching import Switch
    from handrail.workflows.switch import Switched


def switch(
    to: Annotated[str, typer.Option("--to", help="The instance that is to become the live one.")],
    confirm: Annotated[
        str, typer.Option("--confirm", help="The live instance's name, where nobody can type it.", show_default=False)
    ] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Give a restored instance the name of the live one, which is kept under another name. What was cut is gone on
    with."""
    with answering("rds switch", json) as output:
        from handrail.cli.rds_restoring import here

        call = here(output, root, env)
        from handrail.snapshots.switching import Stage, plan_switch
        from handrail.workflows.run import reading_run
        from handrail.workflows.switch import do_switch, require_answer

        hosting = call.hosting
        plan = plan_switch(hosting.snapshots.instances(), hosting.instance, to, call.kit.clock())
        with reading_run(call.kit, output.progress, "rds switch", "", f"RDS {plan.new}") as run:
            if plan.stage is not Stage.DONE:
                theirs = require_answer(run, call.at, hosting, plan)
                output.lines(*_planned(call, plan, theirs))
                _confirm(output, plan, confirm)
            done = do_switch(run, hosting, plan, call.at)
        _tell(output, done)


def _planned(call: Here, plan: Switch, theirs: tuple[str, ...]) -> Iterator[str]:
    from handrail.snapshots.switching import Stage

    if plan.stage is Stage.HALF:
        yield f"a switch was cut: {plan.live} is {plan.aside} already, and nothing has its name"
    else:
        yield f"{plan.live} will be called {plan.aside}; for some minutes nobody is called {plan.live}"
    yield f"{plan.new}, at revision {named(theirs)}, will be called {plan.live}"
    ours = call.facts.current
    if ours and ours != theirs:
        yield f"  mind: the live database is at revision {named(ours)}; deploy the code that goes with {named(theirs)}"


def _confirm(output: Output, plan: Switch, given: str) -> None:
    """Go on only when the live instance's name was typed."""
    hint = f"handrail rds switch --to {plan.new} --confirm {plan.live}"
    if not given:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise ApprovalMissing("nothing was switched", why="there is no terminal to type the name on", hint=hint)
        output.display.end()
        given = typer.prompt(f"type the name of the live instance to switch ({plan.live})", err=True, default="")
    if given != plan.live:
        raise ApprovalMissing(
            "nothing was switched", why=f"{given!r} is not the name of the live instance, {plan.live}", hint=hint
        )


def _tell(output: Output, done: Switched) -> None:
    from handrail.cli.rds_documents import SwitchDocument
    from handrail.snapshots.switching import not_following

    plan, live = done.switch, done.live
    stays = not_following(done.aside, live)
    output.lines(
        f"{plan.live} is the instance that was {plan.new}, and answers at {live.host}:{live.port}",
        f"  at revision {named(done.revisions)}; the old one is {plan.aside}",
        "what does not follow the name:",
        *(f"  {line}" for line in stays),
        "to go back:",
        *(f"  {line}" for line in plan.back),
        f"when nobody needs the old one: aws rds delete-db-instance --db-instance-identifier {plan.aside}",
    )
    endpoint = f"{live.host}:{live.port}"
    output.document(SwitchDocument(plan.live, live.resource_id, plan.aside, endpoint, done.revisions, stays, plan.back))
