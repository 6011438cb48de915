"""The drill: one timed restore with every check, the list of those that were made, and the text that schedules it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import span
from handrail.backups.timetable import Scheduler
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, equipped
from handrail.errors import UsageError

if TYPE_CHECKING:
    from handrail.backups.drill import Drill
    from handrail.cli.output import Output
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring import Project
    from handrail.workflows.run import Equipment

Schedule = Annotated[
    Scheduler | None, typer.Option("--schedule", help="Print what to install so that it runs by itself; do nothing.")
]


def drill(
    which: Annotated[
        str, typer.Argument(help="A backup; else the newest that was proven to restore, else the newest.")
    ] = "",
    to_time: Annotated[
        str, typer.Option("--to-time", help="Of the archive instead: newest, or 2026-11-28T10:00:00Z.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the drills that were made.")] = False,
    schedule: Schedule = None,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Restore a backup, or a moment of the archive, into a scratch database, check it, and measure. Records the RTO,
    the RPO and every check."""
    with answering("drill", json) as output:
        if bool(which) + bool(to_time) + list_ + bool(schedule) > 1:
            raise UsageError("what to do is not clear", hint="give a backup, or --to-time, or --list, or --schedule")
        from handrail.cli.drill_documents import Drilled

        if schedule:
            text = _schedule_text(root, env, schedule)
            output.lines(text)
            output.document(Drilled(text=text))
            return
        project, facts, kit = equipped(root, env, identity=identity)
        if list_:
            _list(output, kit)
            return
        from handrail.workflows import drill as drilling

        made = (
            _of_moment(output, to_time, project, facts, kit)
            if to_time
            else _of_backup(output, which, project, facts, kit)
        )
        output.lines(f"drill {made.id} {'passed' if made.has_passed else 'failed'}", *made.lines)
        output.document(Drilled((made,)))
        drilling.require_passed(made)


def _of_backup(output: Output, which: str, project: Project, facts: ProjectFacts, kit: Equipment) -> Drill:
    from handrail.backups.drill import choose_for_drill
    from handrail.wiring_unattended import drill_checks
    from handrail.workflows.catalog import read_catalog, whole
    from handrail.workflows.drill import drill as make_drill
    from handrail.workflows.run import locked_run

    catalog = read_catalog(kit)
    listed = choose_for_drill(catalog.records, which)
    record = whole(kit, listed, catalog.places[listed.id])
    with locked_run(kit, output.progress, "drill", {"backup": record.id}) as run:
        return make_drill(run, record, catalog.records, facts, drill_checks(project.config))


def _of_moment(output: Output, to_time: str, project: Project, facts: ProjectFacts, kit: Equipment) -> Drill:
    from handrail.cli.restoring import moment_of
    from handrail.wiring_archives import moment_kit
    from handrail.wiring_unattended import drill_checks
    from handrail.workflows.drill_moment import drill_moment
    from handrail.workflows.run import locked_run

    moment, parts = moment_of(to_time), moment_kit(project.config, facts)
    with locked_run(kit, output.progress, "drill") as run:
        return drill_moment(run, parts, moment, facts, drill_checks(project.config))


def _schedule_text(root: Root, env: str | None, scheduler: Scheduler) -> str:
    from handrail.backups.timetable import text_of
    from handrail.wiring import read_config
    from handrail.wiring_unattended import job_of

    return text_of(job_of(read_config(root, env), ("drill",), minute=17, hour=4, weekday=0), scheduler)


def _list(output: Output, kit: Equipment) -> None:
    from handrail.cli.drill_documents import Drilled
    from handrail.workflows.drill import read_drills

    drills, unreadable = read_drills(kit)
    if drills:
        output.table(("drill", "made", "backup", "", "RTO", "RPO", "not checked"), [_row(one) for one in drills])
    else:
        output.lines("no drill yet: handrail drill")
    output.lines(*(f"unreadable: {text}" for text in unreadable))
    output.document(Drilled(drills, unreadable=unreadable))


def _row(drill: Drill) -> tuple[str, ...]:
    from handrail.backups.drill import CheckResult

    missing = [check.name for check in drill.checks if check.result is CheckResult.NOT_CHECKED]
    return (
        drill.id,
        f"{drill.at:%Y-%m-%d %H:%M} UTC",
        drill.backup or "the archive",
        "passed" if drill.has_passed else "failed",
        span(drill.seconds),
        span(drill.age),
        ", ".join(missing),
    )
