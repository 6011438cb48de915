"""Commands that make, show, verify, copy and restore backups; `keeping` and `marking` hold those about what is kept."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import size
from handrail.backups.methods import INCREMENTS, WAYS, DumpRequest, Method, first_method, part_of, request_of, way_to
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, Which, equipped, looked, stored
from handrail.cli.restoring import table_named
from handrail.errors import BackupError, UsageError
from handrail.migrations.revision import named
from handrail.stores.keys import KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.backups.record import Headline, ListedBackup
    from handrail.workflows.run import Equipment


def _found(kit: Equipment, which: str) -> tuple[ListedBackup, tuple[str, ...]]:
    from handrail.workflows.catalog import find

    return find(kit, which)


def _marks(record: Headline) -> list[str]:
    """Pins and milestones in words."""
    pins = [
        f"pinned{f' ({pin.text})' if pin.text else ''}{f' until {pin.until:%Y-%m-%d}' if pin.until else ''}"
        for pin in record.pins
    ]
    return [*pins, *(f"milestone {name}" for name in sorted(record.milestones))]


def _since(record: Headline) -> str:
    return f"what changed since {record.parent}" if record.parent else ""


def create(  # noqa: PLR0913, PLR0917 - the options of a command
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Prove at once that it restores.")] = True,
    method: Annotated[Method | None, typer.Option(help="How; handrail backup explain tells them apart.")] = None,
    table: Annotated[list[str] | None, typer.Option(help="Hold this table's rows only; may be repeated.")] = None,
    schema_only: Annotated[bool, typer.Option("--schema-only", help="Hold definitions and no rows.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Sessions that work at once, where a layout allows it.")] = 2,
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Back the database up, and prove that the backup restores."""
    with answering("backup create", json) as output:
        _, facts, kit = equipped(root, env, identity=identity)
        from handrail.cli.documents import BackupSummary
        from handrail.workflows.backup import make_backup, verified_copy
        from handrail.workflows.run import locked_run

        if facts.database_missing or not kit.database.exists():
            raise BackupError(f"{facts.address} is not there yet", hint="handrail upgrade creates it")
        way = way_to(kit.database.address.engine, method)
        request = request_of(way, tables=tuple(map(table_named, table or ())), schema_only=schema_only, jobs=jobs)
        with locked_run(kit, output.progress, "backup create") as run:
            with _other_way(request):
                record = make_backup(run, "by hand", request, to_be_proven=verify)
            if verify:
                with verified_copy(run, record):
                    pass
        output.lines(_made(record, verify))
        made = record.id
        del record  # of many tables it is large, and is read again
        output.document(BackupSummary.of(*_found(kit, made)))


@contextmanager
def _other_way(request: DumpRequest) -> Iterator[None]:
    """Who lacks what opens the backup may still make one; but an increment only a whole one."""
    try:
        yield
    except KeyUnusable as error:
        words = f" --method {first_method(request)}" if request.format in INCREMENTS else ""
        error.hint += f"; or make one that is not proven: handrail backup create{words} --no-verify"
        raise


def _made(record: Headline, verified: bool) -> str:
    if not record.artifact.is_encrypted:
        return f"{record.id}{', proven to restore' if verified else ''}"
    if verified:
        return f"{record.id}, encrypted, proven to restore"
    where = f"where the key is: handrail backup verify {record.id} --identity FILE"
    return f"{record.id}, encrypted, not proven to restore; {where}"


def explain(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Tell the ways to back this database up apart, and which one is taken unless told."""
    with answering("backup explain", json) as output:
        _, facts = looked(root, env)
        from handrail.cli.documents import BackupWays

        ways = WAYS[facts.address.engine]
        for way in ways:
            output.lines(
                f"{way.method}{' (the default)' if way is ways[0] else ''}: {way.what}",
                f"  good for   {way.good_for}",
                f"  mind       {way.limits}",
                f"  to make it handrail backup create --method {way.method}",
            )
        output.document(BackupWays(facts.address.engine, ways[0].method, ways))


def list_backups(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """List the environment's backups, newest first."""
    with answering("backup list", json) as output:
        _, _, kit = stored(output, root, env)
        from handrail.cli.documents import BackupList, BackupSummary
        from handrail.workflows.catalog import read_catalog

        catalog = read_catalog(kit)
        rows = [
            (
                record.id,
                f"{record.created_at:%Y-%m-%d %H:%M} UTC",
                named(record.revisions),
                size(record.size),
                f"{record.verified_at:%Y-%m-%d %H:%M}" if record.verified_at else "no",
                "; ".join(
                    filter(
                        None,
                        (record.reason, part_of(record.tables, record.schema_only), _since(record), *_marks(record)),
                    )
                ),
                *((", ".join(catalog.places[record.id]),) if kit.copies else ()),
            )
            for record in catalog.records
        ]
        if rows:
            output.table(("id", "made", "revision", "size", "verified", "for", *(("in",) if kit.copies else ())), rows)
        else:
            output.lines(f"no backup yet in {kit.store.place}; make one: handrail backup create")
        output.lines(
            *(f"unreadable: {key}: {why}" for key, why in catalog.unreadable),
            *(f"half deleted: {backup_id}: handrail backup prune --apply" for backup_id in catalog.deleted),
        )
        summaries = tuple(BackupSummary.of(record, catalog.places[record.id]) for record in catalog.records)
        output.document(BackupList(summaries, dict(catalog.unreadable), catalog.deleted))


def show(which: Which = "latest", env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show everything that is known about a backup."""
    with answering("backup show", json) as output:
        _, _, kit = stored(output, root, env)
        from handrail.cli.drill_documents import ShownBackup
        from handrail.workflows.catalog import whole
        from handrail.workflows.drill import read_drills

        listed, places = _found(kit, which)
        record = whole(kit, listed, places)
        output.lines(
            f"id         {record.id}",
            f"made       {record.created_at:%Y-%m-%d %H:%M:%S} UTC, in {record.seconds:.1f} s, {record.reason}",
            f"database   {record.database} ({record.engine} {record.server_version})",
            f"revision   {named(record.revisions)}",
            f"git commit {record.git_commit or 'none'}",
            f"holds      {part_of(record.tables, record.schema_only) or 'the whole database'}, as {record.format}",
            *([f"builds on  {record.parent}"] if record.parent else []),
            *(f"artifact   {place}/{record.artifact.key}" for place in places),
            f"           {size(record.artifact.size)}, {record.artifact.compression}, BLAKE3 {record.artifact.digest}",
            *(f"encrypted  to {recipient}" for recipient in record.artifact.recipients),
            f"verified   {f'{record.verified_at:%Y-%m-%d %H:%M:%S} UTC' if record.verified_at else 'no'}",
            *(f"kept       {mark}" for mark in _marks(record)),
            *(f"note       {mark.at:%Y-%m-%d} {mark.text}" for mark in record.notes),
        )
        drills = tuple(one for one in read_drills(kit)[0] if one.backup == record.id)
        for drill in drills:
            output.lines(f"drill      {drill.at:%Y-%m-%d %H:%M} UTC", *(f"           {line}" for line in drill.lines))
        without = "encrypted" if record.sealed_digests else ""
        rows = [
            (str(t.table), f"{t.rows:,}", t.digests[0].digest if t.digests else without)
            for t in record.fingerprint.tables
        ]
        if rows:
            output.table(("table", "rows", "digest"), rows)
        output.document(ShownBackup.of(record, drills))


def sheet(
    which: Which = "latest",
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this new file.", show_default=False)
    ] = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Print how to restore a backup without handrail. The same lies beside the backup as RECOVERY.txt."""
    with answering("backup sheet", json) as output:
        _, _, kit = stored(output, root, env)
        from handrail.cli.restore_documents import Sheet
        from handrail.workflows.backup import sheet_of
        from handrail.workflows.catalog import find_whole

        record = find_whole(kit, which)
        text = sheet_of(kit, record)
        if output_file is None:
            output.lines(*text.splitlines())
        else:
            _write_new(output_file, text)
            output.lines(f"written to {output_file}: print it, and keep it where neither database nor store is")
        output.document(Sheet(record.id, text))


def _write_new(path: Path, text: str) -> None:
    """Only for this user, since it names tables and places; what is there stays."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise UsageError(
            f"the sheet cannot be written to {path}",
            why=error.strerror or str(error),
            hint="name a new file: --output FILE",
        ) from error


def verify(
    which: Which = "latest", identity: IdentityFile = None, env: Env = None, root: Root = HERE, json: Json = False
) -> None:
    """Prove that a backup restores. It is loaded into a scratch database and compared with what the source was."""
    with answering("backup verify", json) as output:
        _, _, kit = stored(output, root, env, identity=identity)
        from handrail.cli.documents import BackupSummary
        from handrail.workflows.backup import verified_copy
        from handrail.workflows.catalog import find_whole
        from handrail.workflows.run import locked_run

        record = find_whole(kit, which)
        using = {"backup": record.id}
        with locked_run(kit, output.progress, "backup verify", using) as run, verified_copy(run, record):
            pass
        proven = record.id
        del record
        output.lines(f"{proven} restores, and what it restores is what the source was")
        output.document(BackupSummary.of(*_found(kit, proven)))


def copy(
    which: Which = "latest",
    to: Annotated[str, typer.Option("--to", help="A folder or URL; else all that `copies` names.")] = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Copy a backup to another store, and read it back there. What is half there or damaged is replaced."""
    with answering("backup copy", json) as output:
        project, _, kit = stored(output, root, env)
        from handrail.cli.documents import CopiedBackup
        from handrail.wiring_stores import open_store
        from handrail.workflows.copies import copy_with_parents, whole_store
        from handrail.workflows.run import Run

        targets = (open_store(project.config, to),) if to else kit.copies
        if not targets:
            raise UsageError(
                "where to copy to is not clear",
                why=f"the environment {kit.environment} has one store",
                hint="add --to FOLDER or --to URL, or name other stores in `copies`",
            )
        record, _ = _found(kit, which)
        run = Run(record.run_id, kit, output.progress)
        source = whole_store(run, record)
        done = {}
        for target in targets:
            place, written = target.place, False
            if place != source.place:
                run.say("copy", f"copying {record.id} to {place}", "started")
                written = copy_with_parents(run, record, source, target).written
            done[place] = written
            how = "copied to it and read back" if written else "it was there already, whole"
            output.lines(f"{record.id} is in {place}: {how}")
        output.document(CopiedBackup(record.id, done))
