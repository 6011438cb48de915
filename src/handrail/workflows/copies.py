"""Backups in several stores: copied artifact first and manifest last, read back, and read from where they are whole."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.amounts import size
from handrail.backups.catalog import DRILLS, deletion_key, manifest_key
from handrail.backups.record import Headline
from handrail.errors import BackupError
from handrail.stores.encoding import CHUNK, check, damaged
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.workflows.catalog import lineage
from handrail.workflows.counting import counted
from handrail.workflows.run import Equipment, Run

_STEP = "copy"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy had to do: `written` is False when a whole artifact lay there already."""

    place: str
    written: bool


def copy_to_others(run: Run, record: Headline) -> None:
    """Bring a backup that was just made into the environment's other stores. One that fails stops the run, or is a
    warning, as the environment says; the backup in the first store is whole either way."""
    kit = run.equipment
    for target in kit.copies:
        try:
            with run.step(_STEP, f"copying the backup to {target.place}") as done:
                copy_with_parents(run, record, kit.store, target)
                done["store"] = target.place
                done["text"] = f"copied to {target.place} and read back, {size(record.artifact.size)}"
        except BackupError as error:
            if error.code == "HR520":
                _read_back(run, record, kit.store)  # what is damaged there already is no failure of the copy
            if not kit.must_copy:
                run.warn(_STEP, f"backup {record.id} is not in {target.place}: {error.message} ({error.why})")
                continue
            raise BackupError(
                f"backup {record.id} is whole in {kit.store.place}, but is not in {target.place}",
                why=f"{error.message}: {error.why}",
                hint=f'{error.hint}; or set `failed_copy = "warn"`, and later: handrail backup copy {record.id}',
                code="HR545",
            ) from error


def copy_with_parents(run: Run, record: Headline, source: Store, target: Store) -> Copied:
    """Copy a backup, and before it what it builds on where the target does not list that yet; and the drills that only
    the source knows."""
    kit = run.equipment
    for one in lineage(run, record)[:-1]:
        key = manifest_key(kit.environment, one.id)
        if key not in target.keys(key):
            copy_backup(run, one, whole_store(run, one), target)
    copied = copy_backup(run, record, source, target)
    _copy_drills(kit, source, target)
    return copied


def _copy_drills(kit: Equipment, source: Store, target: Store) -> None:
    """They lie beside the backups and belong to none, so that no copy of a backup would take them along."""
    folder = f"{kit.environment}/{DRILLS}/"
    for key in sorted(set(source.keys(folder)) - set(target.keys(folder))):
        _copy_document(source, target, key, is_there=False)


def copy_backup(run: Run, record: Headline, source: Store, target: Store) -> Copied:
    """Copy a backup with what was written about it; its artifact is read back from the target before the manifest is
    written there. Can be repeated: what is whole is left alone, what is damaged or half there is replaced. BackupError
    when a prune, which no lock keeps away, has come to the source's."""
    artifact, manifest = record.artifact, manifest_key(run.equipment.environment, record.id)
    folder = manifest.removesuffix("manifest.json")
    present = target.keys(folder)
    written = artifact.key not in present or _remove_damaged(run, record, target)
    if written:
        with source.open_read(artifact.key) as stored, target.open_write(artifact.key) as out:
            passing = counted(run, _STEP, stored, artifact.size)
            while piece := passing.read(CHUNK):
                out.write(piece)
        if _remove_damaged(run, record, target):
            raise damaged(artifact, f"what was copied to {target.place} is not what was made; it was removed there")
    documents = source.keys(folder)
    is_going = deletion_key(run.equipment.environment, record.id) in documents
    if is_going or manifest not in documents:
        if written and manifest not in present:
            target.delete(artifact.key)
        raise BackupError(
            f"backup {record.id} was not copied",
            why=f"it is being deleted from {source.place}"
            if is_going
            else f"{source.place} has no manifest of it any more",
            hint="choose another one: handrail backup list; handrail backup pin keeps one from being pruned",
            code="HR546",
        )
    for key in sorted(documents, key=lambda key: key == manifest):
        if key != artifact.key:
            _copy_document(source, target, key, key in present)
    return Copied(target.place, written)


def _copy_document(source: Store, target: Store, key: str, is_there: bool) -> None:
    with source.open_read(key) as document:
        data = document.read()
    if is_there:
        with target.open_read(key) as other:
            if other.read() == data:
                return
        target.delete(key)
    with target.open_write(key) as out:
        out.write(data)


def _remove_damaged(run: Run, record: Headline, target: Store) -> bool:
    """Whether the artifact that lies there was damaged; then it is gone."""
    try:
        _read_back(run, record, target)
    except BackupError as error:
        if error.code != "HR520":
            raise
        target.delete(record.artifact.key)
        return True
    return False


def _read_back(run: Run, record: Headline, store: Store) -> None:
    with store.open_read(record.artifact.key) as stored:
        check(counted(run, _STEP, stored, record.artifact.size), record.artifact)


def whole_store(run: Run, record: Headline) -> Store:
    """The first store that has the backup's artifact whole: read to its end, once a run. A store that has it damaged,
    or not at all, is told; when none has it whole, the first one's error is raised."""
    known = run.whole.get(record.id)
    if known is not None:
        return known
    failed: list[tuple[Store, BackupError]] = []
    for store in run.equipment.stores:
        try:
            with store.open_read(record.artifact.key) as stored:
                check(stored, record.artifact)
        except BackupError as error:
            failed.append((store, error))
        else:
            _tell(run, record, failed, store)
            run.whole[record.id] = store
            return store
    raise next((error for _, error in failed if not isinstance(error, MissingObject)), failed[0][1])


def _tell(run: Run, record: Headline, failed: list[tuple[Store, BackupError]], store: Store) -> None:
    for one, error in failed:
        why = f" ({error.why})" if error.why else ""
        run.warn(_STEP, f"{one.place}: {error.message}{why}; {record.id} is read from {store.place}")


def readable_store(run: Run, record: Headline) -> Store:
    """Where a backup is read from. With one store it is that one, unread: whoever reads it checks what he reads."""
    return whole_store(run, record) if run.equipment.copies else run.equipment.store


def write_beside(run: Run, record: Headline, key: str, data: bytes) -> None:
    """Write a document beside a backup, wherever it lies; only the first of these places must take it."""
    kit = run.equipment
    stores = holders(kit, record) if kit.copies else (kit.store,)
    for number, store in enumerate(stores):
        try:
            with store.open_write(key) as out:
                out.write(data)
        except StoreError as error:
            if not number:
                raise
            run.warn(_STEP, f"{store.place} did not take what was written about {record.id}: {error.message}")


def holders(kit: Equipment, record: Headline) -> tuple[Store, ...]:
    """The stores that list the backup. Those that cannot be reached are left out, unless none can."""
    key = manifest_key(kit.environment, record.id)
    found, failed = [], []
    for store in kit.stores:
        try:
            if key in store.keys(key.removesuffix("manifest.json")):
                found.append(store)
        except BackupError as error:
            failed.append(error)
    if not found and failed:
        raise failed[0]
    return tuple(found)
