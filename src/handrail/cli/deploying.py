"""The command deploy: the production checklist in order, or its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, Yes, asker, looked
from handrail.errors import ProjectError, UsageError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.output import Output
    from handrail.guard.plan import ApplyPlan, Step
    from handrail.migrator.migrator import ProjectFacts
    from handrail.workflows.deploy import Deployed


def _option(name: str, text: str) -> typer.models.OptionInfo:
    made: typer.models.OptionInfo = typer.Option(name, help=text, show_default=False)
    return made


def deploy(  # noqa: PLR0913, PLR0917 - its options
    target: Annotated[str, typer.Argument(help="Revision, head, or +n.")] = "head",
    command: Annotated[str, _option("--command", "Deploys the code; run without a shell.")] = "",
    undo: Annotated[str, _option("--undo", "Puts the previous code back.")] = "",
    restart: Annotated[str, _option("--restart", "Starts the application anew.")] = "",
    health_url: Annotated[str, _option("--health-url", "Answers 2xx when the application is well.")] = "",
    smoke: Annotated[str, _option("--smoke", "Exits 0 when the application does its work.")] = "",
    watch: Annotated[str, _option("--watch", "How long the application must stay well, like 60s.")] = "",
    timeout: Annotated[str, _option("--timeout", "How long each command may take, else 10min.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and what undoes them.")] = False,
    yes: Yes = False,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Deploy code and upgrade, guarded; both are brought back on trouble. Backup, rehearsal, code, upgrade, restart,
    health. What is not given is taken from [deploy] of the configuration."""
    with answering("deploy", json) as output:
        from handrail.wiring_deploy import Given, deployment

        given = Given(command, undo, restart, smoke, health_url, timeout, watch)
        project, facts = looked(root, env, target)
        from handrail.guard.plan import Refusal
        from handrail.workflows.deploy import deploy as do
        from handrail.workflows.deploy import make_deploy_plan
        from handrail.workflows.upgrade import Request, refused

        path = facts.path
        if path is None:
            raise ProjectError(f"there is no way to {target}", hint="handrail history")
        if not path.is_empty and path.direction.value != "upgrade":
            raise UsageError(
                f"{target} lies the other way",
                why="a deployment goes forward",
                hint=f"take the code back by hand, then: handrail downgrade {target}",
            )
        kit, code = deployment(project.config, facts.address, project.equipment(facts, identity), given)
        request = Request("deploy", path, facts, asker(output, yes))
        if not dry_run:
            _show(output, do(kit, code, request, target, output.progress))
            return
        plan, _ = make_deploy_plan(kit, code, request)
        if isinstance(plan, Refusal):
            raise refused(plan)
        _show_plan(output, plan, facts)


def _show_plan(output: Output, plan: ApplyPlan, facts: ProjectFacts) -> None:
    from handrail.cli.run_documents import Deployment

    path = plan.path
    if path.is_empty:
        output.lines(f"code only: nothing is pending, {facts.address} stays at {named(facts.current)}")
    else:
        output.lines(f"code, and upgrade {named(path.start)} -> {named(path.target)} on {facts.address}")
    output.table(("step", "what is done, and how it is undone"), [row for step in plan.steps for row in _rows(step)])
    output.document(Deployment(steps=plan.steps))


def _rows(step: Step) -> Iterator[tuple[str, str]]:
    """A step, with a line for each undo: the database's ways back are tried in turn, then the code's are done."""
    from handrail.guard.plan import Undo

    yield step.kind.value, step.reason
    for place, undo in enumerate(step.undo):
        word = "undo" if not place else "then" if undo in (Undo.CODE, Undo.RESTART) else "else"
        yield "", f"{word}: {undo.value}"


def _show(output: Output, deployed: Deployed) -> None:
    from handrail.cli.run_documents import Deployment

    outcome = deployed.upgrade
    path = outcome.path
    moved = f", the database upgraded to {named(path.target)}," if not path.is_empty else ""
    output.lines(f"done: code deployed{moved} in {outcome.seconds:.1f} s")
    if outcome.backup:
        output.lines(f"backup {outcome.backup.id}, proven to restore")
    if not path.is_empty:
        unproven = ["not proven: nothing was compared before and after"]
        output.lines(*(outcome.proof.lines() if outcome.proof else unproven))
    if outcome.health is None:
        output.lines("not asked: no health check is configured")
    output.lines(f"output of the commands: {deployed.output}")
    output.warnings(outcome.warnings)
    output.document(Deployment.of(deployed))
