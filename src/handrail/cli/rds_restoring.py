"""Commands that make a new RDS instance of a snapshot or a moment. The live instance is never touched."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import span
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, opened
from handrail.errors import BackupError, DatabaseUnavailable, UsageError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.backups.record import BackupRecord
    from handrail.cli.output import Output
    from handrail.databases.database import Database
    from handrail.databases.hosting import Hosting
    from handrail.migrator.migrator import ProjectFacts
    from handrail.snapshots.instance import Instance, InstanceSettings, RecoveryWindow
    from handrail.wiring import Project
    from handrail.workflows.hosted import LookedAt, TableCount
    from handrail.workflows.new_instance import Wanted
    from handrail.workflows.run import Equipment, Run

_TIME = "%Y%m%d-%H%M%S"
_NOT_PROVEN = "no manifest tells of it, so it was counted and not proven"
_AS = typer.Option("--as", help="Name of the new instance; else one made of the live one's.", show_default=False)


@dataclass(frozen=True, slots=True)
class Here:
    """What a command on hosted databases works with. `project` and `facts` are of the live database, as far as it could
    be looked at."""

    project: Project
    facts: ProjectFacts
    kit: Equipment
    hosting: Hosting

    def at(self, instance: Instance) -> Database:
        """The database as it is in another instance."""
        from handrail.wiring import open_database
        from handrail.wiring_rds import address_at

        address = address_at(self.facts.address, instance)
        return open_database(address, self.project.config, self.facts.version_table)


def here(output: Output, root: Path, env: str | None) -> Here:
    """The adapters of this call, also while nobody can reach the live database: that may be why somebody restores.
    DatabaseUnavailable where nothing tells its address then."""
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring_rds import require_hosting
    from handrail.wiring_targets import unreachable_address

    project = opened(root, env)
    hosting = require_hosting(project.config)
    try:
        facts = project.migrator.describe(None)
    except DatabaseUnavailable as error:
        address = unreachable_address(project.config, os.environ, error)
        if address is None:
            raise
        output.warnings((f"the live database cannot be reached: {error.message}",))
        facts = ProjectFacts.unseen(address)
    return Here(project, facts, project.equipment(facts), hosting)


def saved_settings(output: Output, root: Path, env: str | None, which: str) -> tuple[InstanceSettings, str]:
    """The settings that were saved with a backup or its snapshot, and where they are from. BackupError where there are
    none."""
    from handrail.workflows.run import Run

    call = here(output, root, env)
    record = _record_of(call.kit, which)
    if record is None:
        raise BackupError(
            f"no settings were saved with {which}",
            why="it is neither a backup by snapshot, nor a snapshot that one tells of",
            hint="handrail rds list shows which snapshots have a backup",
        )
    return _described(Run(record.run_id, call.kit, output.progress), record)


def _described(run: Run, record: BackupRecord) -> tuple[InstanceSettings, str]:
    from handrail.workflows.hosted_backup import descriptor_of

    return descriptor_of(run, record).settings, f"backup {record.id}"


def _record_of(kit: Equipment, which: str) -> BackupRecord | None:
    """The backup by snapshot of this id, or of the snapshot of this name, as far as the run ids in the tags tell."""
    from handrail.backups.methods import Format
    from handrail.databases.snapshots import NotThere
    from handrail.workflows.catalog import read_catalog, whole

    catalog = read_catalog(kit)
    records = [one for one in catalog.records if one.format == Format.RDS_SNAPSHOT]
    wanted = {which}
    if kit.hosting is not None:
        with suppress(NotThere):
            label = kit.hosting.snapshots.snapshot(which).label
            wanted |= {label.run_id} if label else set()
    found = next((one for one in records if one.id in wanted), None)
    return None if found is None else whole(kit, found, catalog.places[found.id])


def restore(
    snapshot: Annotated[str, typer.Argument(help="A snapshot's name.")],
    name: Annotated[str, _AS] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Restore a snapshot as a new instance with all settings, and compare what is in it. The live one stays."""
    with answering("rds restore", json) as output:
        call = here(output, root, env)
        from handrail.snapshots.identifiers import check_instance_name, instance_name
        from handrail.workflows.new_instance import Wanted, restore_snapshot
        from handrail.workflows.run import reading_run

        found = call.hosting.snapshots.snapshot(snapshot)
        record = _record_of(call.kit, found.id)
        name = name or instance_name(
            call.hosting.instance, "restored", f"{found.created_at or call.kit.clock():{_TIME}}"
        )
        _require_new(call, name)
        with reading_run(call.kit, output.progress, "rds restore", record.id if record else "", f"RDS {name}") as run:
            settings, origin = _settings(run, call, record)
            wanted = Wanted(check_instance_name(name), settings, origin)
            begun = call.kit.clock()
            instance = restore_snapshot(run, call.hosting, found.id, wanted)
            _finish(output, run, call, _Made(instance, wanted, found.id, None, begun), record)


def pitr(
    to: Annotated[str, typer.Option("--to", help='A moment with its zone ("2026-02-18T15:25+09:00"), or newest.')],
    name: Annotated[str, _AS] = "",
    resource_id: Annotated[
        str,
        typer.Option("--resource-id", help="Of an instance that was deleted: its kept backups.", show_default=False),
    ] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Restore the instance as of a moment, as a new one, and compare it with the live one, which is not touched."""
    with answering("rds pitr", json) as output:
        from handrail.snapshots.moments import read_moment, require_moment, written

        moment = read_moment(to, datetime.now(UTC).astimezone().tzinfo or UTC)  # noqa: TID251 - a door reads the clock
        call = here(output, root, env)
        from handrail.snapshots.identifiers import check_instance_name, instance_name
        from handrail.workflows.new_instance import Wanted, restore_moment
        from handrail.workflows.run import reading_run

        source, window = _source(call, resource_id)
        window = require_moment(moment, window, name=source.id, now=call.kit.clock())
        name = name or instance_name(call.hosting.instance, "pitr", f"{moment or window.latest:{_TIME}}")
        _require_new(call, name)
        wanted = Wanted(check_instance_name(name), source.settings, f"{source.id} as it is now")
        with reading_run(call.kit, output.progress, "rds pitr", "", f"RDS {wanted.name}") as run:
            run.say("restore", f"RDS has {written(window.earliest)} to {written(window.latest)}")
            begun = call.kit.clock()
            instance = restore_moment(run, call.hosting, source, moment, wanted)
            _finish(output, run, call, _Made(instance, wanted, source.id, moment, begun), None)


def _source(call: Here, resource_id: str) -> tuple[Instance, RecoveryWindow | None]:
    """The instance to restore, and which moments of it there are."""
    from handrail.databases.snapshots import require_single

    if resource_id:
        return call.hosting.snapshots.retained(resource_id)
    source = require_single(call.hosting.snapshots.instance(call.hosting.instance))
    return source, call.hosting.snapshots.window(source.id)


def _require_new(call: Here, name: str) -> None:
    """The live name is only for whom nobody has it: an instance that was deleted."""
    from handrail.databases.snapshots import NotThere

    if name.lower() != call.hosting.instance:
        return
    with suppress(NotThere):
        call.hosting.snapshots.instance(name)
        raise UsageError(
            f"--as {name} is the live instance",
            why="a restore makes a new instance, and never writes into one that is there",
            hint="--as another name; then: handrail rds switch --to that name",
        )


def _settings(run: Run, call: Here, record: BackupRecord | None) -> tuple[InstanceSettings, str]:
    """Those that were saved with the snapshot, else those that the live instance has now."""
    if record is not None:
        return _described(run, record)
    live = call.hosting.snapshots.instance(call.hosting.instance)
    return live.settings, f"{live.id} as it is now, since none were saved with the snapshot"


@dataclass(frozen=True, slots=True)
class _Made:
    instance: Instance
    wanted: Wanted
    source: str
    moment: datetime | None
    begun: datetime


def _finish(output: Output, run: Run, call: Here, made: _Made, record: BackupRecord | None) -> None:
    """Look at what was made, and tell how it takes the live one's place."""
    from handrail.cli.rds_documents import InstanceRestored
    from handrail.workflows.hosted import look_at

    instance = made.instance
    seconds = (call.kit.clock() - made.begun).total_seconds()
    found = look_at(run, call.at(instance), record, seconds=seconds)
    output.lines(
        f"{instance.id} is there at {instance.host}:{instance.port}, after {span(seconds)}",
        f"  settings of {made.wanted.origin}",
        *_told(found, made.moment),
        f"the live instance {call.hosting.instance} was not touched; to put the new one in its place:",
        f"  handrail rds switch --to {instance.id}",
        f"to do away with it instead: aws rds delete-db-instance --db-instance-identifier {instance.id}"
        " --skip-final-snapshot",
    )
    output.document(
        InstanceRestored(
            instance=instance.id,
            host=instance.host,
            port=instance.port,
            source=made.source,
            moment=made.moment,
            settings_of=made.wanted.origin,
            seconds=seconds,
            revisions=found.revisions,
            live_revisions=found.live_revisions,
            tables=found.tables,
            difference=found.difference,
            proof=found.proof,
        )
    )


def _told(found: LookedAt, moment: datetime | None) -> Iterator[str]:
    from handrail.snapshots.moments import written

    yield f"  revision {named(found.revisions)}" + (
        f", the live database is at {named(found.live_revisions)}" if found.live_revisions is not None else ""
    )
    yield f"  {found.proof or ('as of ' + written(moment) if moment else _NOT_PROVEN)}"
    yield from (f"  {_rows(one)}" for one in found.tables)
    difference = found.difference
    if difference is None:
        yield "  the live database could not be read, so nothing was compared with it"
        return
    schema = [one.text for one in difference.schema]
    yield f"  schema: {'as the live one' if not schema else 'since then, in the live database:'}"
    yield from (f"    {line}" for line in schema)


def _rows(one: TableCount) -> str:
    sides = ["no such table" if number is None else f"{number:,}" for number in (one.rows, one.live_rows)]
    if one.rows is None or one.live_rows is None:
        return f"{one.table}: {sides[0]}, live {sides[1]}"
    delta = one.live_rows - one.rows
    return f"{one.table}: {sides[0]} rows, live {sides[1]}{f' ({delta:+,})' if delta else ''}"
