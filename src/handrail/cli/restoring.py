"""The command that restores: a backup, or the database as of a moment; new, in place, or one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count
from handrail.cli.answering import answering
from handrail.cli.call import (
    HERE,
    Env,
    IdentityFile,
    Json,
    Root,
    Yes,
    asker,
    confirmed,
    equipped,
    opened,
    stored,
    text_of,
)
from handrail.errors import DatabaseUnavailable, UsageError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from handrail.backups.record import Headline
    from handrail.cli.output import Output
    from handrail.cli.restore_documents import MomentDocument
    from handrail.config import Config
    from handrail.databases.database import SideTable
    from handrail.facts import DatabaseAddress, TableName
    from handrail.wiring import Project
    from handrail.workflows.moment import Found, Put, Target

_NEWEST = "newest"


def table_named(text: str) -> TableName:
    """The table that an option names. UsageError with how to write one."""
    from handrail.migrations.sql_names import read_table

    try:
        return read_table(text)
    except ValueError as error:
        raise UsageError(str(error), hint='write name, schema.name, or "a name.with dots"') from None


def restore(  # noqa: PLR0913, PLR0917 - the options of a command
    which: Annotated[str, typer.Argument(help="A backup's id or its beginning, latest, or verified.")] = "",
    to_time: Annotated[
        str, typer.Option("--to-time", help="Instead: from the archive, as of 2026-11-28T10:00:00Z, or newest.")
    ] = "",
    into: Annotated[
        str, typer.Option("--into", help="A new database: name, path, URL or env:NAME; of base a folder.")
    ] = "",
    in_place: Annotated[bool, typer.Option("--in-place", help="Over the live database; it is kept aside.")] = False,
    table: Annotated[str, typer.Option(help="One table, into a new one beside it; --into names that.")] = "",
    files: Annotated[
        str, typer.Option("--files", help="With --to-time: the engine's own files, in a new place.", show_default=False)
    ] = "",
    compare: Annotated[
        bool | None,
        typer.Option(
            "--compare/--no-compare",
            help="Compare the restored rows with the source's; else only where no proof stands.",
            show_default=False,
        ),
    ] = None,
    yes: Yes = False,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Restore a backup, or with --to-time a moment of the archive. Into a new database, in place, or one table beside
    the live one. In place the live database is replaced, and kept aside."""
    with answering("backup restore", json) as output:
        _check_words(which, to_time, files)
        if compare is not None and (to_time or table):
            hint = "a moment that becomes a new database is always compared; handrail backup verify proves a backup"
            raise UsageError("--compare goes with a whole backup", hint=hint)
        ways = [bool(files), in_place, bool(table)]
        if sum(ways) > 1 or (bool(into) == any(ways) and not table):
            hint = "--into NAME for a new database, --in-place, or --table NAME alone"
            raise UsageError("where to restore to is not clear", hint=hint)
        if to_time:
            _restore_moment(output, moment_of(to_time), _target(into, files, table), yes=yes, env=env, root=root)
        else:
            target = _target(into, "", table)
            _restore_backup(output, which, target, yes=yes, compare=compare, identity=identity, env=env, root=root)


def _check_words(which: str, to_time: str, files: str) -> None:
    if bool(which) == bool(to_time):
        raise UsageError("what to restore is not clear", hint="name a backup (handrail backup list), or add --to-time")
    if files and not to_time:
        raise UsageError("--files goes with --to-time", why="a backup is no set of files", hint="--into NAME")


def moment_of(text: str) -> datetime | None:
    """The moment that `--to-time` names; None: the newest. UsageError for what is no moment."""
    from handrail.backups.moments import read_moment

    return None if text == _NEWEST else read_moment(text)


def _target(into: str, files: str, table: str) -> Target:
    from handrail.workflows.moment import Target

    into = text_of(into)
    if not table:
        return Target(into, files)
    named = table_named(table)
    return Target(table=named, side=table_named(into or f"{named.name}_restored").name)


def _restore_backup(
    output: Output,
    which: str,
    target: Target,
    *,
    yes: bool,
    compare: bool | None,
    identity: Path | None,
    env: str | None,
    root: Path,
) -> None:
    project, facts, kit = (
        stored(output, root, env, identity=identity) if target.into else equipped(root, env, identity=identity)
    )
    from handrail.backups.held import require_table
    from handrail.cli.restore_documents import Restored
    from handrail.workflows.backup import restore_new, restore_table
    from handrail.workflows.bring_back import restore_in_place
    from handrail.workflows.catalog import find, whole
    from handrail.workflows.run import RESTORE, overwriting_run, reading_run

    record, places = find(kit, which)
    if target.table is not None:
        require_table(whole(kit, record, places), target.table, version_table=facts.version_table)
        with overwriting_run(kit, output.progress, RESTORE) as run:
            found = restore_table(run, record, target.table, target.side)
        output.lines(*_compared(str(target.table), found, whose="the backup's"))
        output.document(Restored(record.id, target.side, None, found, proven_at=record.verified_at))
        return
    is_compared = _is_to_compare(record, compare)
    if target.into:
        compared = whole(kit, record, places) if is_compared else None
        # Neither touched nor locked; the journal says which backup is read, so that no prune deletes it meanwhile.
        with reading_run(kit, output.progress, RESTORE, record.id, target.into) as run:
            place, aside = restore_new(run, record, target.into, compare=compared), None
        output.lines(f"restored {record.id} into {place}")
    else:
        question = f"replace {facts.address} by backup {record.id} of {record.created_at:%Y-%m-%d %H:%M}?"
        confirmed(asker(output, yes), question)
        with overwriting_run(kit, output.progress, RESTORE, {"backup": record.id}) as run:
            aside, lost = restore_in_place(run, whole(kit, record, places), compare=is_compared)
        place = str(facts.address)
        output.lines(f"restored {record.id}; {_kept(aside, f'{lost}; ')}")
        output.warnings(_not_archived(project.config, facts.address))
    _tell_of_rows(output, record, is_compared=is_compared)
    output.document(Restored(record.id, place, aside, compared=is_compared, proven_at=record.verified_at))


def _is_to_compare(record: Headline, asked: bool | None) -> bool:
    """Whether the restored rows are. UsageError where that is asked for and cannot be done."""
    from handrail.backups.verification import is_to_compare

    if not (record.is_hosted or record.request.is_of_a_server):
        return is_to_compare(record, asked)
    if asked:
        raise UsageError(
            f"what is restored from backup {record.id} cannot be compared",
            why="it becomes a new instance of RDS" if record.is_hosted else "it becomes files that no server runs on",
            hint=f"handrail backup verify {record.id} proves it, in a place of its own",
        )
    return False


def _tell_of_rows(output: Output, record: Headline, *, is_compared: bool) -> None:
    """What is known of the rows that were restored; of a snapshot RDS has said it."""
    if record.is_hosted:
        return
    if is_compared:
        output.lines("its rows were compared with the source's: they are the same")
    elif record.verified_at is not None:
        output.lines(
            f"its rows were proven on {record.verified_at:%Y-%m-%d %H:%M} UTC, and its bytes are the same since"
        )
    else:
        output.warnings(
            (f"its rows were not compared, and no proof stands for it: handrail backup verify {record.id}",)
        )


def _restore_moment(
    output: Output, moment: datetime | None, target: Target, *, yes: bool, env: str | None, root: Path
) -> None:
    try:
        project, facts, kit = equipped(root, env)
    except DatabaseUnavailable as error:
        _restore_files(output, moment, target, opened(root, env), error)
        return
    from handrail.cli.restore_documents import Restored
    from handrail.wiring_archives import moment_kit
    from handrail.workflows.moment import name_of, restore_moment
    from handrail.workflows.run import NEW_FROM_ARCHIVE, RESTORE, locked_run, overwriting_run

    parts, question = moment_kit(project.config, facts), f"replace {facts.address} by {name_of(moment)}?"
    ask = asker(output, yes)
    if target.is_in_place and ask is None:
        confirmed(ask, question)  # nobody can be asked: known before anything is restored

    def agree(found: Found) -> None:
        output.lines(*_told(found))
        if target.is_in_place:
            confirmed(ask, question)

    touches = target.is_in_place or target.table is not None
    begin, command = (overwriting_run, RESTORE) if touches else (locked_run, NEW_FROM_ARCHIVE)
    with begin(kit, output.progress, command) as run:
        put = restore_moment(run, parts, moment, target, agree)
    output.lines(*_where(put, str(target.table)))
    side = put.side
    if target.is_in_place:
        output.warnings(_not_archived(project.config, facts.address))
    output.document(Restored("", side.name if side else put.place, put.aside, side, _document(put.found)))


def _restore_files(
    output: Output, moment: datetime | None, target: Target, project: Project, unreachable: DatabaseUnavailable
) -> None:
    """The engine's own files, while the live database cannot be reached: the archive's tool needs none. Nothing is
    compared, since there is nothing to compare with."""
    from handrail.backups.moments import require_within, written
    from handrail.cli.restore_documents import Restored
    from handrail.wiring_archives import NAME_IT, open_archive
    from handrail.wiring_targets import unreachable_address
    from handrail.workflows.moment import name_of

    address = unreachable_address(project.config, os.environ, unreachable)
    if project.config.settings.archive is None or address is None or not target.files:
        without = "Without the database, the archive gives files: --to-time … --files PATH."
        unreachable.hint = " ".join(filter(None, (unreachable.hint, NAME_IT if address is None else without)))
        raise unreachable
    archive = open_archive(project.config, address)
    require_within(moment, archive.state())
    output.warnings((f"the live database was not compared: {unreachable.message}",))
    reached = archive.write_files(moment, Path(target.files).absolute())
    output.lines(f"restored {name_of(moment)} into {target.files}")
    if reached.moment is not None:
        output.lines(f"  the last change in it was read at {written(reached.moment)}")
    output.lines(*(f"  {remark}" for remark in reached.remarks))
    output.document(Restored("", target.files, None))


def _not_archived(config: Config, address: DatabaseAddress) -> tuple[str, ...]:
    """What keeps the restored content from the archive; nothing where there is none."""
    from handrail.wiring_archives import archive_warnings

    return archive_warnings(config, address, max_lag=0.0)


def _told(found: Found) -> Iterator[str]:
    """What was restored, before it is put anywhere."""
    from handrail.backups.moments import written

    yield f"{found.name}, at revision {named(found.state.revisions)}"
    if found.reached.moment is not None:
        yield f"  the last change in it was read at {written(found.reached.moment)}"
    yield from (f"  {'note' if check.ok is None else 'sound'}: {check.name}: {check.detail}" for check in found.checks)
    yield from (f"  {remark}" for remark in found.reached.remarks)
    yield "  no fingerprint of that moment was ever taken, so there is none to compare with; this is what it is now:"
    for one in found.state.fingerprint.tables:
        digest = f", digest {one.digests[0].digest}" if one.digests else ""
        yield f"    {one.table}: {count(one.rows, 'row')}{digest}"
    difference = found.difference
    if difference is None:
        yield "the live database cannot be read, so it was not compared"
    elif difference.is_empty:
        yield "the live database holds the same"
    else:
        yield "since then, in the live database:"
        yield from (f"  {line}" for line in difference.lines)


def _where(put: Put, table: str) -> Iterator[str]:
    if put.side is not None:
        yield from _compared(table, put.side, whose="that moment's")
    elif put.aside is None:
        yield f"restored {put.found.name} into {put.place}"
    else:
        yield f"restored {put.found.name}; {_kept(put.aside)}"


def _kept(aside: str, lost: str = "") -> str:
    """What became of the database that was there; "" when none was, and then nothing can be lost either."""
    return f"{lost}the former database is kept as {aside}" if aside else "there was no database before"


def _document(found: Found) -> MomentDocument:
    from handrail.cli.restore_documents import MomentDocument

    return MomentDocument(
        asked=found.moment,
        reached=found.reached.moment,
        revisions=found.state.revisions,
        checks=found.checks,
        fingerprint=found.state.fingerprint,
        difference=found.difference,
        remarks=found.reached.remarks,
    )


def _compared(table: str, side: SideTable, *, whose: str) -> Iterator[str]:
    """How the live table differs from what was restored beside it."""
    yield f"{side.name} holds {whose} {count(side.rows, 'row')} of {table}"
    if side.live_rows is None:
        yield f"{table} is not in the live database any more"
    elif side.changed is None:
        yield f"{table} has {count(side.live_rows, 'row')}; it has no primary key to tell rows by"
    else:
        differs = f"{side.changed:,} changed since, {side.new:,} new, {side.lost:,} gone"
        yield f"{table} has {count(side.live_rows, 'row')}: {differs}"
    yield f"when you are done with it, drop {side.name}: the models do not know it"
