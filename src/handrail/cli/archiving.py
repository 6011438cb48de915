"""The command for long keeping: a restorable archive in a store of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import size
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, equipped
from handrail.errors import BackupError, UsageError
from handrail.stores.objects.classes import StorageClass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handrail.backups.record import Headline
    from handrail.cli.output import Output
    from handrail.cli.rds_restoring import Here
    from handrail.config import Config
    from handrail.stores.store import Store
    from handrail.workflows.archiving import Archiving

_COLD = (
    "it cannot be read at once: handrail backup verify or restore needs it asked for first"
    " (aws s3api restore-object), which takes hours and is paid for"
)


@dataclass(frozen=True, slots=True)
class _Words:
    to: str
    storage_class: StorageClass | None
    snapshot: str
    delete_snapshot: bool
    milestone: str


def archive(  # noqa: PLR0913, PLR0917 - the options of a command
    to: Annotated[str, typer.Option("--to", help="s3://bucket/prefix, another cloud's URL, or a folder.")],
    storage_class: Annotated[
        StorageClass | None, typer.Option("--storage-class", help="Of S3, once it is proven.", show_default=False)
    ] = None,
    snapshot: Annotated[
        str, typer.Option("--snapshot", help="Of this RDS snapshot, by a temporary instance.", show_default=False)
    ] = "",
    delete_snapshot: Annotated[
        bool, typer.Option("--delete-snapshot", help="Delete that snapshot, once its archive is proven.")
    ] = False,
    milestone: Annotated[str, typer.Option("--milestone", help="What its note calls it.")] = "archive",
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Stream a restorable archive into a store for long keeping, and prove it by restoring it; no file is between."""
    with answering("backup archive", json) as output:
        words = _Words(to, storage_class, snapshot, delete_snapshot, milestone)
        if delete_snapshot and not snapshot:
            raise UsageError(
                "which snapshot is to be deleted?",
                why="only one of which the archive was made has it as its stand-in",
                hint="--snapshot NAME --delete-snapshot",
            )
        if snapshot:
            record, target = _of_snapshot(output, words, root, env)
        else:
            record, target = _of_live(output, words, identity, root, env)
        output.lines(*_told(record, target, storage_class))
        _document(output, words, record, target)


def _of_live(
    output: Output, words: _Words, identity: Path | None, root: Path, env: str | None
) -> tuple[Headline, Store]:
    project, facts, kit = equipped(root, env, identity=identity)
    from handrail.wiring_stores import open_store
    from handrail.workflows.archiving import archive_live
    from handrail.workflows.run import ARCHIVE, locked_run

    if facts.database_missing or not kit.database.exists():
        raise BackupError(f"{facts.address} is not there yet", hint="handrail upgrade creates it")
    target = open_store(project.config, words.to, expected=kit.database.facts().size_bytes)
    _require_other(target, kit.stores)
    wanted = _wanted(project.config, words, target, facts.address.engine)
    with locked_run(kit, output.progress, ARCHIVE) as run:
        return archive_live(run, wanted), target


def _of_snapshot(output: Output, words: _Words, root: Path, env: str | None) -> tuple[Headline, Store]:
    from handrail.cli.rds_restoring import here
    from handrail.snapshots.archiving import require_replaceable
    from handrail.wiring_stores import open_store
    from handrail.workflows.archiving import archive_snapshot, delete_archived
    from handrail.workflows.run import ARCHIVE, reading_run

    call: Here = here(output, root, env)
    found = call.hosting.snapshots.snapshot(words.snapshot)
    if words.delete_snapshot:
        require_replaceable(found, call.hosting.snapshots.snapshots(found.instance))
    target = open_store(call.project.config, words.to, expected=found.full_size or found.size_gb << 30)
    _require_other(target, call.kit.stores)
    wanted = _wanted(call.project.config, words, target, "postgresql")
    with reading_run(call.kit, output.progress, ARCHIVE, "", f"{target.place}") as run:
        record = archive_snapshot(run, wanted, call.hosting, found, call.at)
        if words.delete_snapshot:
            delete_archived(run, call.hosting, found, record)
    return record, target


def _require_other(target: Store, stores: tuple[Store, ...]) -> None:
    if target.place in {store.place for store in stores}:
        raise UsageError(
            f"{target.place} is a store of the environment",
            why="its policy would prune the archive; long keeping has a place of its own",
            hint="--to another prefix, or handrail backup create",
        )


def _wanted(config: Config, words: _Words, target: Store, engine: str) -> Archiving:
    from handrail.backups.methods import Method, request_of, way_to
    from handrail.wiring_stores import paced
    from handrail.workflows.archiving import Archiving

    request = request_of(way_to(engine, Method.DUMP))
    assert request.format is not None  # noqa: S101 - every way has one
    return Archiving(paced(config, [target])[0], request.format, words.milestone, _cooling(words.storage_class, target))


def _cooling(storage_class: StorageClass | None, target: Store) -> Callable[[str], None] | None:
    if storage_class is None:
        return None
    from handrail.stores.objects.store import CloudStore

    if not (isinstance(target, CloudStore) and target.place.startswith("s3://")):
        raise UsageError(
            f"{target.place} has no storage class {storage_class.value}",
            why="these are of S3",
            hint="leave --storage-class out, or --to s3://bucket/prefix",
        )
    return lambda key: target.move_to(key, storage_class)


def _told(record: Headline, target: Store, storage_class: StorageClass | None) -> Iterator[str]:
    yield f"{record.id} is in {target.place}: {size(record.artifact.size)}, {record.reason}"
    yield "  proven by a restore: read back whole, its digest right, loaded, and equal to the source in every row"
    if storage_class is not None:
        yield f"  its artifact lies in {storage_class.value}; manifest and recovery sheet lie where they can be read"
        if storage_class.has_to_be_asked_for:
            yield f"  {_COLD}"
    yield f"  no policy prunes it there; to see it, name {target.place} in `copies` or `store`"


def _document(output: Output, words: _Words, record: Headline, target: Store) -> None:
    from handrail.cli.rds_documents import ArchivedDocument

    output.document(
        ArchivedDocument(
            record.id,
            target.place,
            record.artifact.size,
            record.verified_at,
            words.storage_class.value if words.storage_class else None,
            words.snapshot or None,
            words.snapshot if words.delete_snapshot else None,
        )
    )
