"""One call of a command: options that all commands share, the project looked at, questions asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.errors import ApprovalMissing, DatabaseUnavailable, UsageError
from handrail.interruptions import answerable

if TYPE_CHECKING:
    from handrail.cli.output import Output
    from handrail.migrator.forkserver import ForkServer
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring import Project
    from handrail.workflows.bring_back import Ask
    from handrail.workflows.run import Equipment

Env = Annotated[str | None, typer.Option("--env", "-e", help="Environment; else $ENV, else the configured default.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Root = Annotated[
    Path, typer.Option("--project", "-C", help="The project's folder; else this one or one above.", show_default=False)
]
Which = Annotated[str, typer.Argument(help="A backup's id or its beginning, latest, or verified.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes (for CI).")]
IdentityFile = Annotated[
    Path | None,
    typer.Option(
        "--identity",
        help="File with the private key of encrypted backups; else $HANDRAIL_IDENTITY, else the configured one.",
        show_default=False,
    ),
]
HERE = Path()


def opened(root: Path, env: str | None, server: ForkServer | None = None) -> Project:
    """The project of this call."""
    from handrail.wiring import open_project

    return open_project(root, env, server)


def looked(root: Path, env: str | None, target: str | None = None) -> tuple[Project, ProjectFacts]:
    """Project, and one look at it and its database (with the path to `target`); nothing is made.

    A command imports its documents and workflows after the look: the fork server is the slowest, and while it imports,
    this process imports what every command prints and reads the configuration."""
    from handrail.cli.early import fork_server

    server = fork_server()
    from handrail.cli import documents  # noqa: F401 - only to have it imported

    project = opened(root, env, server)
    return project, project.migrator.describe(target)


def equipped(
    root: Path, env: str | None, target: str | None = None, *, identity: Path | None = None
) -> tuple[Project, ProjectFacts, Equipment]:
    """The same with the adapters."""
    project, facts = looked(root, env, target)
    return project, facts, project.equipment(facts, identity)


def stored(
    output: Output, root: Path, env: str | None, *, identity: Path | None = None
) -> tuple[Project, ProjectFacts, Equipment]:
    """The same for commands that read what is stored, also while nobody can reach the database: when it is gone, they
    are what is needed most. Then nothing is known of its revisions."""
    try:
        return equipped(root, env, identity=identity)
    except DatabaseUnavailable as error:
        from handrail.migrator.migrator import ProjectFacts
        from handrail.wiring_targets import unreachable_address
        from handrail.workflows.run import Progress

        project = opened(root, env)
        address = unreachable_address(project.config, os.environ, error)
        if address is None:
            raise
        text = f"{error.message}: {error.why}; what is stored is read without it"
        output.progress(Progress("database", "warning", text))
        facts = ProjectFacts.unseen(address)
        return project, facts, project.equipment(facts, identity)


def text_of(word: str) -> str:
    """A word of the command that is to be kept. UsageError for bytes that the terminal did not send as UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{word!r} is no text in UTF-8",
            why="it is written into a document, which has to be read elsewhere",
            hint="use a terminal and a locale of UTF-8 (LC_ALL=C.UTF-8)",
        ) from error
    return word


def asker(output: Output, yes: bool) -> Ask:
    """Who answers questions: everything yes with --yes, a person on a terminal, else nobody."""
    if yes:
        return lambda _question: True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> bool:
        output.display.end()
        try:
            with answerable():
                return typer.confirm(question, err=True)
        except typer.Abort:  # Ctrl-C or the end of input: whoever asked must not go on, and may have to clean up
            typer.echo(err=True)
            return False

    return ask


def confirmed(ask: Ask, question: str) -> None:
    """Go on only with a yes. ApprovalMissing when it is refused or nobody can be asked."""
    if ask is None:
        raise ApprovalMissing(f"not done: {question}", why="there is no terminal to ask", hint="add --yes")
    if not ask(question):
        raise ApprovalMissing(f"not done: {question}", why="the answer was no")
