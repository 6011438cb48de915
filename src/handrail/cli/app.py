"""Every command registered, nothing heavy imported until one runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from handrail import __version__
from handrail.cli import (
    archive,
    archiving,
    backup,
    costing,
    deploying,
    differing,
    drilling,
    enums,
    functions,
    keeping,
    lab,
    lint,
    looking,
    marking,
    moving,
    rds,
    rds_keeping,
    rds_restoring,
    rds_switching,
    rds_taking,
    restoring,
    revision,
    scheduling,
    setup,
)
from handrail.pages import DOCUMENTATION

app = typer.Typer(
    name="handrail",
    help="The safety system for Alembic migrations: reviewed, backed up, proven, rehearsed, applied, or brought back.",
    epilog="The first time: handrail init, then doctor, plan and upgrade."
    f" Every command, exit code and JSON document: {DOCUMENTATION}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _name, _command in (
    ("init", setup.init),
    ("doctor", setup.doctor),
    ("status", looking.status),
    ("current", looking.current),
    ("history", looking.history),
    ("check", looking.check),
    ("revision", revision.revision),
    ("lint", lint.lint),
    ("plan", looking.plan),
    ("rehearse", moving.rehearse),
    ("upgrade", moving.upgrade),
    ("deploy", deploying.deploy),
    ("downgrade", moving.downgrade),
    ("stamp", moving.stamp),
    ("recover", moving.recover),
    ("drill", drilling.drill),
    ("cost", costing.cost),
):
    # "-1" of `downgrade -1` is a step back, not an option.
    app.command(_name, context_settings={"ignore_unknown_options": _name == "downgrade"})(_command)
backup.app.command()(restoring.restore)
backup.app.command()(differing.diff)
backup.app.command()(scheduling.run_due)
backup.app.command()(keeping.prune)
backup.app.command()(keeping.calendar)
backup.app.command()(keeping.cost)
backup.app.command()(archiving.archive)
backup.app.command()(marking.pin)
backup.app.command()(marking.unpin)
backup.app.command()(marking.note)
app.add_typer(enums.app, name="enum")
app.add_typer(backup.app, name="backup")
app.add_typer(archive.app, name="archive")
app.add_typer(functions.app, name="lambda")
app.add_typer(lab.app, name="lab")
rds.app.command()(rds_taking.snapshot)
rds.app.command()(rds_restoring.restore)
rds.app.command()(rds_restoring.pitr)
rds.app.command()(rds_switching.switch)
rds.app.command()(rds_keeping.automated)
rds.app.command()(rds_keeping.export)
app.add_typer(rds.app, name="rds")


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"handrail {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
