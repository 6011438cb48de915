"""What backups hold, read from the stores: of one, of all that an increment builds on, and loaded into a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

from handrail.backups.lineage import to_build_on
from handrail.backups.methods import INCREMENTS, DumpRequest, first_method
from handrail.backups.record import Headline, StoredArtifact
from handrail.databases.database import Database
from handrail.errors import BackupError, HandrailError
from handrail.journal.journal import EventKind
from handrail.stores.encoding import reading
from handrail.workflows.catalog import lineage, read_catalog
from handrail.workflows.copies import readable_store
from handrail.workflows.counting import counted
from handrail.workflows.run import MAKE, NAME, Run
from handrail.workflows.sealing import identity_for
from handrail.workflows.waiting import telling


@contextmanager
def content_of(run: Run, record: Headline, step: str) -> Iterator[BinaryIO]:
    """What the backup holds, as the database's dump wrote it; who watches `step` hears how much has been read.
    BackupError when the stored bytes are not what was written, KeyUnusable when what opens them is not here."""
    artifact, identity = record.artifact, identity_for(run, record)
    with (
        readable_store(run, record).open_read(artifact.key) as stored,
        reading(counted(run, step, stored, artifact.size), artifact, identity) as content,
    ):
        yield content


@contextmanager
def parts_of(run: Run, record: Headline, step: str) -> Iterator[tuple[BinaryIO, ...]]:
    """What the backup is restored from: its content, or that of all that it builds on, oldest first."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(content_of(run, one, step)) for one in lineage(run, record))


def load(run: Run, record: Headline, target: Database, step: str) -> None:
    """Fill an empty database from a backup."""
    request = replace(record.request, heard=telling(run, step))
    with parts_of(run, record, step) as (content, *increments):
        target.load(content, request, increments=increments)


@contextmanager
def made(run: Run, target: Database, into: str) -> Iterator[Database]:
    """A new database, which the block loads: when it ends well it is there as `target`, else it is dropped again.
    BackupError when there is one already. `into` is what `Equipment.new_database` finds the target by.

    It has its name only when it is whole, and the journal knows beforehand what is being made: of a killed run
    `end_made` drops it."""
    new = target.unnamed(run.id)
    name = new.address.database
    run.note(EventKind.STEP_STARTED, MAKE, {"name": name, "address": str(new.address), "into": into})
    try:  # an interruption that comes while it is created finds it made, or not
        new.create()
        yield new
        run.note(EventKind.STEP_STARTED, NAME)
        with run.equipment.shield():
            target.name(new)
    except BaseException:
        try:
            new.drop()
        except HandrailError as error:
            run.left.append(name)
            run.warn("restore", f"{name} could not be dropped: {error.message} handrail recover does it later")
        raise


def built_on(run: Run, request: DumpRequest) -> tuple[DumpRequest, str]:
    """The request with what an increment has to know of the backup that it builds on, and the id of that one; any other
    request as it is."""
    if request.format not in INCREMENTS:
        return request, ""
    kit = run.equipment
    parent = to_build_on(read_catalog(kit).records, str(kit.database.address), first_method(request))
    assert parent.inventory is not None  # noqa: S101 - `to_build_on` looks for it
    return replace(request, since=_document(run, parent, parent.inventory)), parent.id


def _document(run: Run, record: Headline, stored: StoredArtifact) -> bytes:
    """A small file of the backup, from the first store that has it whole."""
    identity, failed = identity_for(run, record), list[BackupError]()
    for store in run.equipment.stores:
        try:
            with store.open_read(stored.key) as source, reading(source, stored, identity) as content:
                return content.read()
        except BackupError as error:
            failed.append(error)
    raise failed[0]
