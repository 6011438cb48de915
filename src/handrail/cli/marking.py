"""Commands that say something about a backup: pin, unpin, note."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, Which, equipped, text_of
from handrail.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from handrail.config import Config


def pin(
    which: Which,
    reason: Annotated[str, typer.Argument(help="Why it is kept.")] = "",
    until: Annotated[str, typer.Option("--until", help="The day at whose beginning the pin ends: 2027-01-31.")] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Keep a backup whatever the policy says."""
    with answering("backup pin", json) as output:
        project, _, kit = equipped(root, env)
        from handrail.cli.documents import BackupSummary
        from handrail.workflows import marking
        from handrail.workflows.run import locked_run

        end = _day(project.config, until)
        with locked_run(kit, output.progress, "backup pin") as run:
            record, places = marking.pin(run, which, text_of(reason), end)
        output.lines(f"{record.id} is kept{f' until {until}' if until else ''}; handrail backup unpin takes that back")
        output.document(BackupSummary.of(record, places))


def unpin(which: Which, env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Take the pins of a backup back; from then on the policy decides."""
    with answering("backup unpin", json) as output:
        _, _, kit = equipped(root, env)
        from handrail.cli.documents import BackupSummary
        from handrail.workflows import marking
        from handrail.workflows.run import locked_run

        with locked_run(kit, output.progress, "backup unpin") as run:
            record, places = marking.unpin(run, which)
        output.lines(f"{record.id} is not pinned any more")
        output.document(BackupSummary.of(record, places))


def note(
    which: Which,
    text: Annotated[str, typer.Argument(help="What there is to say.")] = "",
    milestone: Annotated[str, typer.Option("--milestone", help="Call it a milestone (release, legal).")] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write a note beside a backup, or call it a milestone."""
    with answering("backup note", json) as output:
        if not (text or milestone):
            raise UsageError("there is nothing to note", hint='handrail backup note latest "before the move"')
        if milestone and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", milestone):
            raise UsageError(
                f"{milestone!r} cannot be a milestone",
                why="it is written in small letters, digits and dashes",
                hint="--milestone release",
            )
        project, _, kit = equipped(root, env)
        from handrail.cli.documents import BackupSummary
        from handrail.workflows import marking
        from handrail.workflows.run import locked_run

        with locked_run(kit, output.progress, "backup note") as run:
            record, places = marking.note(run, which, text_of(text), milestone)
        output.lines(f"noted beside {record.id}")
        if milestone and milestone not in project.config.retention.milestones:
            output.warnings([f"[retention.milestones] names no time for {milestone}: the backup is kept until it does"])
        output.document(BackupSummary.of(record, places))


def _day(config: Config, until: str) -> datetime | None:
    from datetime import date, datetime

    from handrail.wiring import retention_policy

    if not until:
        return None
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise UsageError(f"--until {until} is no day", hint="--until 2027-01-31") from error
    return datetime(day.year, day.month, day.day, tzinfo=retention_policy(config).zone)
