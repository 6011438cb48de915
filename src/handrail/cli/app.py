"""The program of Typer's, built for one call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Annotated, Any, TypeVar

import typer

from handrail import __version__
from handrail.cli.commands import COMMANDS, Group
from handrail.pages import DOCUMENTATION

_Command = TypeVar("_Command")


def app_for(words: Sequence[str] = ()) -> typer.Typer:
    """The program as far as these words need it: the command they name; all of them where they name none, as for help,
    completion, or the telling of a name that is not one."""
    app = typer.Typer(
        name="handrail",
        help="The safety system for Alembic migrations:"
        " reviewed, backed up, proven, rehearsed, applied, or brought back.",
        epilog="The first time: handrail init, then doctor, plan and upgrade."
        f" Every command, exit code and JSON document: {DOCUMENTATION}",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name, command in _named(COMMANDS, words[:1]):
        if isinstance(command, Group):
            app.add_typer(_built(command, words[1:2]), name=name)
        else:
            _add(app, name, command)
    return app


def _named(commands: Mapping[str, _Command], words: Sequence[str]) -> Sequence[tuple[str, _Command]]:
    return [(word, commands[word]) for word in words if word in commands] or list(commands.items())


def _built(group: Group, words: Sequence[str]) -> typer.Typer:
    app = typer.Typer(help=group.help, epilog=group.epilog, no_args_is_help=True, rich_markup_mode=None)
    for name, command in _named(group.commands, words):
        _add(app, name, command)
    return app


def _add(app: typer.Typer, name: str, command: str) -> None:
    module, function = command.split(".")
    called: Callable[..., Any] = getattr(import_module(f"handrail.cli.{module}"), function)
    # "-1" of `downgrade -1` is a step back, not an option.
    app.command(name, context_settings={"ignore_unknown_options": name == "downgrade"})(called)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"handrail {__version__}\n")
        raise typer.Exit


def _comes_later(context: typer.Context, parameter: typer.CallbackParam, value: object) -> None:
    """Other programs take them before the command."""
    if value:
        option = parameter.opts[0]
        written = option if value is True else f"{option} {value}"
        context.fail(f"{option} comes after the command, as in: handrail upgrade {written}")


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    env: Annotated[str, typer.Option("--env", "-e", callback=_comes_later, hidden=True)] = "",
    project: Annotated[str, typer.Option("--project", "-C", callback=_comes_later, hidden=True)] = "",
    json: Annotated[bool, typer.Option("--json", callback=_comes_later, hidden=True)] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", callback=_comes_later, hidden=True)] = False,
) -> None:
    pass
