"""Commands that move a database: rehearse, upgrade, downgrade, stamp, recover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, Yes, asker, confirmed, equipped, looked, opened
from handrail.cli.output import Output
from handrail.errors import ProjectError, UsageError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from handrail.migrations.revision import RevisionPath
    from handrail.migrator.migrator import ProjectFacts

Target = Annotated[str, typer.Argument(help="Revision, head, or +n.")]


def upgrade(
    target: Target = "head",
    no_lint: Annotated[bool, typer.Option("--no-lint", help="Rehearse the scripts even if lint refuses them.")] = False,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Skip the backup where it is optional.")] = False,
    yes: Yes = False,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Upgrade, guarded; brought back when it fails. Lint, backup, verify, rehearse, apply, prove, health check."""
    with answering("upgrade", json) as output:
        _guarded(
            output, "upgrade", target, (root, env), yes=yes, lint=not no_lint, backup=not no_backup, identity=identity
        )


def downgrade(
    target: Annotated[str, typer.Argument(help="Revision, base, or -n.")],
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Skip the backup where it is optional.")] = False,
    yes: Yes = False,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Downgrade, guarded in the same way."""
    with answering("downgrade", json) as output:
        _guarded(output, "downgrade", target, (root, env), yes=yes, lint=False, backup=not no_backup, identity=identity)


def _guarded(
    output: Output,
    command: str,
    target: str,
    place: tuple[Path, str | None],
    *,
    yes: bool,
    lint: bool,
    backup: bool,
    identity: Path | None,
) -> None:
    project, facts = looked(*place, target)
    from handrail.cli.run_documents import Moved
    from handrail.cli.running import show_outcome
    from handrail.workflows.upgrade import Outcome, Request, guarded_run

    path = _path(facts, target, command)
    if path.is_empty:
        output.lines(f"nothing to do: the database is at {named(facts.current)}")
        output.document(Moved.of(Outcome(path)))
        return
    kit = project.equipment(facts, identity)
    if not backup and kit.policy.backup == "required":
        raise UsageError(
            f"a backup is required in {kit.environment}",
            why="`backup` of this environment says so",
            hint=f"run handrail {command} without --no-backup",
        )
    request = Request(command, path, facts, asker(output, yes), lint, backup)
    show_outcome(output, guarded_run(kit, request, output.progress))


def _path(facts: ProjectFacts, target: str, command: str) -> RevisionPath:
    path = facts.path
    if path is None:
        raise ProjectError(f"there is no way to {target}", hint="handrail history")
    if not path.is_empty and path.direction.value != command:
        other = path.direction.value
        raise UsageError(
            f"{target} lies the other way", why=f"that would be a {other}", hint=f"handrail {other} {target}"
        )
    return path


def rehearse(
    target: Target = "head",
    on: Annotated[str, typer.Option("--on", help='"postgresql": run the whole history on an empty PostgreSQL.')] = "",
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Run the upgrade on a restored copy and say what it did. The live database is not touched."""
    with answering("rehearse", json) as output:
        if on:
            from handrail.cli.running import rehearse_elsewhere

            rehearse_elsewhere(output, opened(root, env), target, on)
            return
        from handrail.cli.running import rehearse_here

        _, facts, kit = equipped(root, env, target, identity=identity)
        rehearse_here(output, kit, facts, _path(facts, target, "upgrade"))


def stamp(
    target: Annotated[str, typer.Argument(help="Revision to write, without running anything.")],
    purge: Annotated[bool, typer.Option("--purge", help="Clear the version table first.")] = False,
    yes: Yes = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write a revision into the version table, running nothing."""
    with answering("stamp", json) as output:
        project, facts, kit = equipped(root, env)
        from handrail.cli.documents import Stamped
        from handrail.workflows.run import STAMP, overwriting_run

        confirmed(asker(output, yes), f"stamp {facts.address} with {target} (it is at {named(facts.current)})?")
        with overwriting_run(kit, output.progress, STAMP, {"target": target}):
            project.migrator.stamp(target, purge=purge)
        after = project.migrator.describe().current
        output.lines(f"stamped: the database is at {named(after)}")
        output.document(Stamped(facts.current, after))


def recover(
    restore: Annotated[bool, typer.Option("--restore", help="Restore the failed run's backup.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the database as it is.")] = False,
    yes: Yes = False,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Settle interrupted runs: finish or undo them."""
    with answering("recover", json) as output:
        if restore and keep:
            raise UsageError("--restore and --keep exclude each other", hint="choose one of them")
        _, facts, kit = equipped(root, env, identity=identity)
        from handrail.cli.documents import Recovered
        from handrail.workflows.recover import Decision
        from handrail.workflows.recover import recover as settle

        wanted = "restore" if restore else "keep" if keep else ""
        settled = settle(kit, facts, Decision(wanted, asker(output, yes)), output.progress)
        for item in settled:
            output.lines(f"run {item.run_id}: {item.result}: {item.detail}")
            output.lines(*(f"  type: {command}" for command in item.to_type))
        if not settled:
            output.lines("no run is open: nothing to recover")
        output.document(Recovered(settled))
