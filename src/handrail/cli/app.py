"""Every command by name; only the one that is called is imported and built."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, TypeVar

import typer

from handrail import __version__
from handrail.pages import DOCUMENTATION, page

_Command = TypeVar("_Command")


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one name; each is given as its module and function in `handrail.cli`."""

    help: str
    commands: Mapping[str, str]
    epilog: str | None = None


COMMANDS: Mapping[str, str | Group] = {
    "init": "setup.init",
    "doctor": "setup.doctor",
    "status": "looking.status",
    "current": "looking.current",
    "history": "looking.history",
    "check": "looking.check",
    "revision": "revision.revision",
    "lint": "lint.lint",
    "plan": "looking.plan",
    "rehearse": "moving.rehearse",
    "upgrade": "moving.upgrade",
    "deploy": "deploying.deploy",
    "downgrade": "moving.downgrade",
    "stamp": "moving.stamp",
    "recover": "moving.recover",
    "drill": "drilling.drill",
    "cost": "costing.cost",
    "enum": Group(
        "Enum columns: what they hold, how they differ from the models, renames, other strategies.",
        {
            "list": "enums.list_enums",
            "check": "enums.check",
            "rename": "enums.rename",
            "convert": "enums.convert",
        },
    ),
    "backup": Group(
        "Make, verify, restore, keep and prune backups.",
        {
            "create": "backup.create",
            "explain": "backup.explain",
            "list": "backup.list_backups",
            "show": "backup.show",
            "sheet": "backup.sheet",
            "verify": "backup.verify",
            "copy": "backup.copy",
            "restore": "restoring.restore",
            "diff": "differing.diff",
            "run-due": "scheduling.run_due",
            "prune": "keeping.prune",
            "calendar": "keeping.calendar",
            "cost": "keeping.cost",
            "archive": "archiving.archive",
            "pin": "marking.pin",
            "unpin": "marking.unpin",
            "note": "marking.note",
        },
    ),
    "archive": Group(
        "Keep every change as it happens, so that a moment can be restored.",
        {"status": "archive.status", "setup": "archive.setup", "run": "archive.run"},
    ),
    "lambda": Group(
        "The function that cleans RDS snapshots up, run by AWS.",
        {"package": "functions.package", "plan": "functions.plan"},
        f"How it is set up and what it needs: {page('lambda')}",
    ),
    "lab": Group(
        "An RDS to practise on, on this machine.",
        {
            "start": "lab.start",
            "stop": "lab.stop",
            "status": "lab.status",
            "env": "lab.env",
            "log": "lab.log",
            "fault": "lab.fault",
            "snapshot": "lab.snapshot",
            "instance": "lab.instance",
            "backup": "lab.backup",
        },
        f"How to practise: {page('lab')}",
    ),
    "rds": Group(
        "Snapshots, restores and automated backups of the RDS instance.",
        {
            "list": "rds.list_snapshots",
            "wait": "rds.wait",
            "settings": "rds.settings",
            "snapshot": "rds_taking.snapshot",
            "restore": "rds_restoring.restore",
            "pitr": "rds_restoring.pitr",
            "switch": "rds_switching.switch",
            "automated": "rds_keeping.automated",
            "export": "rds_keeping.export",
        },
    ),
}


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
