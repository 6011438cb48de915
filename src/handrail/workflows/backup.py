"""Make, list and verify backups: dump into the store, manifest last; restore into a scratch database and compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

from handrail.amounts import count, size
from handrail.backups.catalog import INVENTORY, artifact_key, manifest_key, sheet_key, verification_key
from handrail.backups.manifest import write_manifest, write_verification
from handrail.backups.methods import WHOLE, DumpRequest
from handrail.backups.record import BackupRecord, Headline, StoredArtifact, Verification
from handrail.backups.sheet import Whereabouts, recovery_sheet, sheet_lines
from handrail.backups.verification import compare_content, compare_revisions, compare_rows, compare_schema
from handrail.databases.database import Database, SideTable
from handrail.errors import BackupError
from handrail.facts import TableName
from handrail.stores.encoding import writing
from handrail.stores.store import StoreError
from handrail.workflows.catalog import lineage
from handrail.workflows.contents import built_on, load, made, parts_of
from handrail.workflows.copies import copy_to_others, whole_store, write_beside
from handrail.workflows.counting import counted, rows_done
from handrail.workflows.hosted_backup import restore_instance, with_label
from handrail.workflows.run import Equipment, Run
from handrail.workflows.sealing import identity_for, require_identity, sealed, unsealed

#: So many times its size has to be free before an uncompressed backup is begun.
DUMP_ROOM = 1.1
#: Lines of the recovery sheet that are written at once.
_LINES = 1000


def make_backup(
    run: Run, reason: str, request: DumpRequest = WHOLE, *, to_be_proven: bool = True, beside: str = ""
) -> BackupRecord:
    """Dump the database into the store, then copy it to the others. The manifest is written last: a backup without one
    does not exist.

    With `to_be_proven` an encrypted backup is not begun where what opens it is missing. `beside` ends the id of a
    second backup of the same run, and is its step."""
    kit, backup_id, step = run.equipment, run.id + beside, beside.strip("-") or "backup"
    recipients = kit.keys.recipients()
    if to_be_proven:
        require_identity(run, recipients)
    request, parent = built_on(run, with_label(run, request, backup_id, step))
    needed = kit.database.size_bytes(request) if request.is_complete and not request.is_hosted else None
    _check_room(kit, needed)
    key = artifact_key(kit.environment, backup_id, kit.compression, is_encrypted=bool(recipients))
    with run.step(step, f"backing up to {kit.store.place}") as done:
        started = kit.clock()
        with kit.store.open_write(key) as out, writing(out, key, kit.compression, recipients) as writer:
            report = kit.database.dump(counted(run, step, writer.sink, needed), request)
            writer.finish()
            artifact = writer.artifact()
        record = BackupRecord(
            id=backup_id,
            run_id=run.id,
            created_at=started,
            environment=kit.environment,
            database=str(kit.database.address),
            engine=kit.database.address.engine,
            format=report.format,
            tool=report.tool,
            server_version=report.server,
            revisions=report.revisions,
            artifact=artifact,
            fingerprint=report.fingerprint,
            facts=report.facts,
            seconds=(kit.clock() - started).total_seconds(),
            reason=reason,
            git_commit=kit.git_commit(),
            handrail_version=kit.handrail_version,
            tables=request.tables,
            schema_only=request.schema_only,
            changed_meanwhile=report.changed_meanwhile,
            inventory=_store_inventory(run, report.inventory, recipients),
            parent=parent,
            hosted_size=report.hosted_size,
        )
        with kit.store.open_write(sheet_key(kit.environment, backup_id)) as out:
            lines = sheet_lines(record, kit.by_hand(record), _whereabouts(kit))
            while piece := "".join(f"{line}\n" for line in islice(lines, _LINES)):
                out.write(piece.encode())
        with kit.store.open_write(manifest_key(kit.environment, backup_id)) as out:
            write_manifest(sealed(record), out)
        done["backup"] = record.id
        what = f"snapshot {request.name}" if request.is_hosted else size(artifact.size)
        done["text"] = f"backup {record.id}: {what} in {record.seconds:.1f} s, {_extent(record)}"
    run.whole[record.id] = kit.store
    copy_to_others(run, record)
    return record


def _store_inventory(run: Run, text: bytes, recipients: Sequence[str]) -> StoredArtifact | None:
    """Beside the artifact, and in the same way: what is built on it needs no more of it than this."""
    if not text:
        return None
    kit = run.equipment
    key = artifact_key(kit.environment, run.id, kit.compression, is_encrypted=bool(recipients), name=INVENTORY)
    with kit.store.open_write(key) as out, writing(out, key, kit.compression, recipients) as writer:
        writer.sink.write(text)
        writer.finish()
        return writer.artifact()


def sheet_of(kit: Equipment, record: BackupRecord) -> str:
    """How to restore this backup without handrail."""
    return recovery_sheet(record, kit.by_hand(record), _whereabouts(kit))


def _whereabouts(kit: Equipment) -> Whereabouts:
    return Whereabouts(kit.store.place, kit.keys.note)


def _extent(record: BackupRecord) -> str:
    return f"{count(len(record.fingerprint.tables), 'table')}, {count(record.fingerprint.rows, 'row')}"


def _apart(record: Headline) -> str:
    """What was not compared, in words."""
    apart = ", ".join(map(str, record.changed_meanwhile))
    return f"; not compared, since others wrote to it meanwhile: {apart}" if apart else ""


def _check_room(kit: Equipment, needed: int | None) -> None:
    """Only an uncompressed artifact's size is known beforehand, and only that of one that holds everything."""
    free = kit.store.free_bytes()
    if kit.compression != "none" or free is None or needed is None:
        return
    if free < needed * DUMP_ROOM:
        raise StoreError(
            f"the store {kit.store.place} has no room for a backup",
            why=f"what is backed up has {size(needed)}, {size(free)} are free",
            hint="make room, or set `store` of the environment to another place",
        )


@contextmanager
def restored(run: Run, record: Headline) -> Iterator[Database]:
    """A scratch database that holds the backup's content, dropped at exit."""
    kit = run.equipment
    identity_for(run, record)  # before anything is made
    with kit.database.scratch(run.id, record.request, server=record.server_version) as scratch:
        load(run, record, scratch, "restore copy")
        yield scratch


def restore_new(run: Run, record: Headline, into: str, *, compare: BackupRecord | None = None) -> str:
    """Restore into the new database that is called so, the files of a whole server into a new folder, a snapshot as a
    new instance; returns the place. Nothing is made when the stored bytes are damaged, or cannot be opened here.

    With `compare`, the same backup with its tables, a new database whose rows are not the source's is removed again
    (`require_same`); files and instances are not compared."""
    kit = run.equipment
    identity_for(run, record)
    for one in lineage(run, record):
        whole_store(run, one)
    if record.is_hosted:
        return restore_instance(run, record, into).id
    if record.request.is_of_a_server:
        run.say("restore", f"unpacking {record.id} into {into}", "started")
        with parts_of(run, record, "restore") as (content, *increments):
            kit.database.restore_cluster(content, Path(into), server=record.server_version, increments=increments)
        return into
    target = kit.new_database(kit.database, into)
    with made(run, target, into) as new:
        _warn_of_age(run, record, new)
        run.say("restore", f"loading {record.id} into {target.address}", "started")
        started = kit.clock()
        load(run, record, new, "restore")
        if compare is not None:
            require_same(run, compare, new, started)
    return str(target.address)


def require_same(run: Run, record: BackupRecord, restored: Database, started: datetime) -> None:
    """Compare what was restored with what the manifest says of the source. The proof is kept beside the backup, as one
    of `verify`. A difference is a BackupError and not kept: it may be the place's (another release), and would keep a
    sound backup from being used; `verify` tells which."""
    kit = run.equipment
    seconds = (kit.clock() - started).total_seconds()
    with run.step("compare", "comparing what was restored with the source") as done:
        if differences := _differences(run, record, restored, "compare"):
            raise BackupError(
                f"what was restored from backup {record.id} is not what the source was",
                why=f"{'; '.join(differences[:5])}. What was restored was removed again",
                hint=f"is it the backup: handrail backup verify {record.id}; to restore it all the same: --no-compare",
                code="HR521",
            )
        _keep_proof(run, record, Verification(kit.clock(), run.id, seconds, ()))
        done["text"] = f"equal to the source: {_extent(record)}{_apart(record)}"


def _warn_of_age(run: Run, record: Headline, target: Database) -> None:
    """Dumps are made for the same version and newer ones; an older server refuses what it does not know."""
    there = target.facts().version
    if record.engine == "postgresql" and int(there.partition(".")[0]) < int(record.server_version.partition(".")[0]):
        run.warn(
            "restore",
            f"the backup is of PostgreSQL {record.server_version}, {target.address} of {there}: what an"
            " older server does not know makes the restore fail",
        )


def restore_table(run: Run, record: Headline, table: TableName, into: str) -> SideTable:
    """Bring one table of a backup beside the live one, under the name `into`, by way of a restored copy."""
    said = {"backup": record.id}  # so that no prune takes it meanwhile
    with run.step("restore table", f"restoring {record.id} into a scratch database", said) as done:
        with restored(run, record) as copy:
            run.say("restore table", f"copying {table} into {into}")
            found = run.equipment.database.bring(copy, table, into)
        done["text"] = f"{table} of {record.id} is now {into}: {count(found.rows, 'row')}"
    return found


def verify_restored(run: Run, record: BackupRecord, scratch: Database, seconds: float) -> Verification:
    """Compare the restored copy with what the manifest says of the source; the result is stored beside it."""
    with run.step("verify", "comparing the restored copy with the source") as done:
        differences = _differences(run, record, scratch, "verify")
        verification = Verification(run.equipment.clock(), run.id, seconds, differences)
        _keep_proof(run, record, verification)
        if differences:
            raise BackupError(
                f"backup {record.id} does not restore to what the source was",
                why="; ".join(differences[:5]),
                hint="the live database is untouched; make another backup: handrail backup create",
                code="HR521",
            )
        done["text"] = f"restored in {seconds:.1f} s and equal to the source: {_extent(record)}{_apart(record)}"
    return verification


def _differences(run: Run, record: BackupRecord, restored: Database, step: str) -> tuple[str, ...]:
    record = unsealed(run, record)
    rows, content = _row_differences(run, record, restored, step)
    schema = compare_schema(record.facts, restored.facts(), record.request)
    revisions = () if record.schema_only else compare_revisions(record.revisions, restored.revisions())
    return (rows + schema or content) + revisions


def _row_differences(
    run: Run, record: BackupRecord, restored: Database, step: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of rows, and of what no table shows. The digests are let go before the schema is read: there may be many."""
    found = restored.fingerprint(on_table=rows_done(run, step, record.fingerprint.rows))
    then, now = (one.without(record.changed_meanwhile) for one in (record.fingerprint, found))
    return compare_rows(then, now, record.request), compare_content(then.content, now.content)


def _keep_proof(run: Run, record: BackupRecord, verification: Verification) -> None:
    key = verification_key(run.equipment.environment, record.id, run.id)
    write_beside(run, record, key, write_verification(verification))


@contextmanager
def verified_copy(run: Run, record: BackupRecord) -> Iterator[Database]:
    """Restore, compare, and lend the copy: what was just proven is what is rehearsed on."""
    kit = run.equipment
    identity_for(run, record)  # before anything is made
    with kit.database.scratch(run.id, record.request, server=record.server_version) as scratch:
        for remark in scratch.remarks:
            run.warn("restore copy", remark)
        started = kit.clock()
        with run.step("restore copy", "restoring the backup into a scratch database") as done:
            load(run, record, scratch, "restore copy")
            seconds = (kit.clock() - started).total_seconds()
            done["text"] = f"restored into a scratch database in {seconds:.1f} s"
        verify_restored(run, record, scratch, seconds)
        yield scratch
