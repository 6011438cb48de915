"""The command that cron calls: make the backups that are due, or print what to install so that it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.amounts import count
from handrail.backups.methods import Method, first_method, request_of, way_to
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, equipped
from handrail.cli.drilling import Schedule
from handrail.errors import BackupError, LockNotObtained
from handrail.stores.keys import KeyUnusable

if TYPE_CHECKING:
    from datetime import tzinfo

    from handrail.backups.drill import AgeLimits
    from handrail.cli.output import Output
    from handrail.config import Config
    from handrail.retention.due import Due
    from handrail.retention.policy import RetentionPolicy
    from handrail.workflows.due import Made
    from handrail.workflows.run import Equipment


def run_due(schedule: Schedule = None, env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Make the backup that is due by [schedule], prove it, and prune. Nothing when none is due; to be called hourly."""
    with answering("backup run-due", json) as output:
        from handrail.wiring import read_config
        from handrail.wiring_unattended import age_limits, timetable_of

        if schedule:
            _print_schedule(output, read_config(root, env), schedule)
            return
        project, facts, kit = equipped(root, env)
        from handrail.cli.drill_documents import DueDocument
        from handrail.retention.due import next_due
        from handrail.workflows.due import Made, due_now

        timetable = timetable_of(project.config)
        way_to(facts.address.engine, timetable.method)  # what the engine does not know is told before it is due
        if facts.database_missing or not kit.database.exists():
            raise BackupError(f"{facts.address} is not there yet", hint="handrail upgrade creates it")
        made, busy = Made(), ""
        if due_now(kit, timetable):
            try:
                made = _made(output, kit, project.config)
            except LockNotObtained as error:
                busy = _busy(kit, age_limits(project.config), error)
        following = next_due(timetable, kit.clock())
        output.lines(*_told(made, busy, is_proven=timetable.proven), *_next(following, timetable.zone))
        output.document(DueDocument.of(made, busy, following))


def _print_schedule(output: Output, config: Config, scheduler: Schedule) -> None:
    from handrail.backups.timetable import text_of
    from handrail.cli.drill_documents import DueDocument
    from handrail.wiring_unattended import job_of, timetable_of

    assert scheduler is not None  # noqa: S101 - the caller has looked
    minute = timetable_of(config).times[0].minute
    text = text_of(job_of(config, ("backup", "run-due"), minute=minute), scheduler)
    output.lines(text)
    output.document(DueDocument(text=text))


def _made(output: Output, kit: Equipment, config: Config) -> Made:
    from handrail.wiring import retention_policy
    from handrail.wiring_unattended import timetable_of
    from handrail.workflows.due import run_due as make_due
    from handrail.workflows.run import locked_run

    policy: RetentionPolicy | None = retention_policy(config) if config.schedule.prune else None
    try:
        with locked_run(kit, output.progress, "backup run-due") as run:
            return make_due(run, timetable_of(config), policy)
    except KeyUnusable as error:
        error.hint += f"; or make what is not proven: {_without_key(kit, config.schedule.method)} in [schedule]"
        raise


def _without_key(kit: Equipment, method: Method | None) -> str:
    """What to set where the key is missing; to make an increment it is needed too."""
    way = way_to(kit.database.address.engine, method)
    whole = f'`method = "{first_method(request_of(way))}"` and ' if way.is_increment else ""
    return f"{whole}`verify = false`"


def _busy(kit: Equipment, limits: AgeLimits, error: LockNotObtained) -> str:
    """What to say when the database is held by another run: it may well be making this backup, and the next call tries
    again. When the last backup has become too old meanwhile, that is an error."""
    from handrail.backups.drill import AgeLimits, overdue
    from handrail.workflows.catalog import read_catalog

    records, address = read_catalog(kit).records, str(kit.database.address)
    late = list(overdue(records, (), AgeLimits(limits.backup), address, kit.clock()))
    if late:
        raise LockNotObtained(error.message, why=f"{error.why} {late[0]}", hint=error.hint) from error
    return f"not now, the next call tries again: {error.message}"


def _told(made: Made, busy: str, *, is_proven: bool) -> list[str]:
    if busy:
        return [busy]
    if made.backup is None:
        return ["nothing is due"]
    tiers = ", ".join(one.tier for one in made.due)
    deleted = len(made.pruned.deleted) if made.pruned else 0
    return [
        f"{made.backup.id}, {'' if is_proven else 'not '}proven to restore: {tiers}",
        *([f"made by {made.chosen.method}: {made.chosen.why}"] if made.chosen and made.chosen.why else []),
        *([f"deleted {count(deleted, 'backup')} that nothing keeps"] if deleted else []),
    ]


def _next(following: Due | None, zone: tzinfo) -> list[str]:
    return [f"next: {following.tier} at {following.since.astimezone(zone):%Y-%m-%d %H:%M %Z}"] if following else []
