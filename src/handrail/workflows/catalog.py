"""Read the catalog: all manifests of an environment, with the documents that lie beside each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import BinaryIO, Protocol

from handrail.backups.catalog import (
    DRILLS,
    INVENTORY,
    SHEET,
    Catalog,
    choose,
    manifest_key,
    mark_key,
    union,
    verification_key,
)
from handrail.backups.lineage import lineage_of
from handrail.backups.manifest import ManifestError, read_mark, read_sealed, read_verification
from handrail.backups.record import BackupRecord, Headline, ListedBackup, Mark, Verification
from handrail.backups.skimming import read_stream, skim
from handrail.errors import BackupError
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.workflows.run import Run

_READERS = 8
#: Most manifests have fewer bytes, and those of eight readers at once are little memory.
_SMALL = 256 << 10
_MANIFEST, _DELETED, _PROOF = "manifest.json", "deleted.json", "verified-"


class Shelves(Protocol):
    """Where the backups of an environment lie; an `Equipment` is one."""

    @property
    def environment(self) -> str: ...

    @property
    def stores(self) -> Sequence[Store]: ...


@dataclass(slots=True)
class _Found:
    records: list[ListedBackup] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    not_understood: list[tuple[str, str]] = field(default_factory=list)


def read_catalog(kit: Shelves) -> Catalog:
    """All backups of the environment, newest first, rebuilt from the documents in its stores. A store that cannot be
    read is told in the catalog, unless none can."""
    shelves, failed = [], []
    for store in kit.stores:
        try:
            shelves.append((store.place, _shelf(_Documents(kit.environment, store))))
        except StoreError as error:
            failed.append((store.place, error))
    if not shelves:
        raise failed[0][1]
    return union(shelves, tuple((place, f"{error.message}: {error.why}") for place, error in failed))


#: A backup, and the places in which it lies.
Found = tuple[ListedBackup, tuple[str, ...]]


def find(kit: Shelves, wanted: str) -> Found:
    """The backup that `choose` finds among all."""
    catalog = read_catalog(kit)
    record = choose(catalog.records, wanted)
    return record, catalog.places[record.id]


def find_whole(kit: Shelves, wanted: str) -> BackupRecord:
    """The same, with its tables."""
    return whole(kit, *find(kit, wanted))


def whole(kit: Shelves, listed: ListedBackup, places: Sequence[str]) -> BackupRecord:
    """A backup of the catalog with its tables: its manifest is read once more, from the first of these places that has
    it as it was listed. ManifestError or StoreError when none has."""
    key, failed = manifest_key(listed.environment, listed.id), list[BackupError]()
    for store in (one for one in kit.stores if one.place in places):
        try:
            record, seal = _read_whole(store, key)
        except BackupError as error:
            failed.append(error)
            continue
        if seal == listed.seal:
            return replace(record, verifications=listed.verifications, marks=listed.marks)
        failed.append(ManifestError(f"{key} was altered", why=f"it is not what {store.place} had a moment ago"))
    raise failed[0]


def lineage(run: Run, record: Headline) -> tuple[Headline, ...]:
    """The backup and all that it builds on, oldest first; the catalog is read once a run. BackupError when one is
    gone."""
    if not record.parent:
        return (record,)
    if record.id not in run.lines:
        run.lines[record.id] = lineage_of(record, read_catalog(run.equipment).records)
    return run.lines[record.id]


def _read_whole(store: Store, key: str) -> tuple[BackupRecord, str]:
    with store.open_read(key) as source:
        start = _start(source)
        if len(start) < _SMALL:
            return read_sealed(start, name=key)
        found = read_stream(source, start)
    if found is not None:
        return found
    with store.open_read(key) as source:
        return read_sealed(source.read(), name=key)


def _start(source: BinaryIO) -> bytes:
    """The first `_SMALL` bytes, or all where there are fewer: a small manifest is read at once, and not asked for
    twice."""
    found = bytearray()
    while len(found) < _SMALL and (piece := source.read(_SMALL - len(found))):
        found += piece
    return bytes(found)


@dataclass(slots=True)
class _Documents:
    """The documents of one store; those of one look are fetched at once, for a cloud takes its time for each."""

    environment: str
    store: Store
    texts: dict[str, bytes | StoreError] = field(default_factory=dict)
    manifests: dict[str, ListedBackup | BackupError] = field(default_factory=dict)
    _one_whole: Lock = field(default_factory=Lock)

    def fetch(self, keys: Sequence[str], manifests: Sequence[str]) -> None:
        with ThreadPoolExecutor(_READERS, "catalog") as pool:
            listed = pool.map(self._listed, manifests)
            self.texts = dict(zip(keys, pool.map(self._fetched, keys), strict=True))
            self.manifests = dict(zip(manifests, listed, strict=True))

    def _listed(self, key: str) -> ListedBackup | BackupError:
        """What the catalog keeps of a manifest. Those that must be read whole are, one after the other: each may be
        large."""
        try:
            with self.store.open_read(key) as source:
                start = _start(source)
                if len(start) < _SMALL:
                    record, seal = read_sealed(start, name=key)
                    return record.listed(seal)
                listed = skim(source, start)
            if listed is not None:
                return listed
            with self._one_whole, self.store.open_read(key) as source:
                record, seal = read_sealed(source.read(), name=key)
                return record.listed(seal)
        except BackupError as error:
            return error

    def listed(self, key: str) -> ListedBackup:
        found = self.manifests[key]
        if isinstance(found, BackupError):
            raise found
        return found

    def _fetched(self, key: str) -> bytes | StoreError:
        try:
            with self.store.open_read(key) as source:
                return source.read()
        except StoreError as error:
            return error

    def read(self, key: str) -> bytes:
        text = self.texts.get(key)
        if text is None:
            text = self._fetched(key)
        if isinstance(text, StoreError):
            raise text
        return text


def _shelf(kit: _Documents) -> Catalog:
    """What one store holds."""
    folders: dict[str, list[str]] = defaultdict(list)
    for key in kit.store.keys(f"{kit.environment}/"):
        _, backup_id, name = f"{key}/".split("/", 2)
        if backup_id != DRILLS:
            folders[backup_id].append(name.rstrip("/"))
    whole = {id_: names for id_, names in folders.items() if _MANIFEST in names and _DELETED not in names}
    kit.fetch(
        [f"{kit.environment}/{id_}/{name}" for id_, names in whole.items() for name in names if _is_read(name)],
        [manifest_key(kit.environment, id_) for id_ in whole],
    )
    found = _Found()
    for backup_id, names in whole.items():
        _read_backup(kit, backup_id, names, found)
    return Catalog(
        tuple(sorted(found.records, key=lambda record: record.created_at, reverse=True)),
        tuple(found.unreadable),
        tuple(found.not_understood),
        tuple(backup_id for backup_id, names in folders.items() if _DELETED in names),
        tuple(backup_id for backup_id, names in folders.items() if not {_DELETED, _MANIFEST} & set(names)),
    )


def _is_read(name: str) -> bool:
    return name.startswith((_PROOF, "mark-"))


def _read_backup(kit: _Documents, backup_id: str, names: Sequence[str], found: _Found) -> None:
    key = f"{kit.environment}/{backup_id}/{_MANIFEST}"
    try:
        record = kit.listed(key)
        require_place(key, manifest_key(kit.environment, record.id), f"the manifest of {record.id}")
    except MissingObject:
        return  # it was pruned since it was listed
    except ManifestError as error:
        found.unreadable.append((key, f"{error.message}: {error.why}"))
        return
    verifications, marks = [], []
    for name in names:
        if name.startswith(_PROOF):
            proof = _verification(kit, backup_id, name, found)
            verifications += [proof] if proof else []
        elif name not in (_MANIFEST, SHEET) and not name.startswith(("artifact", INVENTORY)):
            mark = _mark(kit, backup_id, name, found)
            marks += [mark] if mark else []
    in_order = tuple(sorted(marks, key=lambda mark: (mark.at, mark.id)))
    found.records.append(replace(record, verifications=tuple(verifications), marks=in_order))


def require_place(key: str, its_own: str, what: str) -> None:
    """ManifestError for a whole document that lies where another one belongs, and says `what` it is."""
    if key != its_own:
        why = f"it is {what}: somebody has copied or renamed a folder or file"
        raise ManifestError(f"{key} lies in the wrong place", why=why)


def _verification(kit: _Documents, backup_id: str, name: str, found: _Found) -> Verification | None:
    """The verification; None for one that cannot be read: it proves nothing, is told, and keeps the backup."""
    key = f"{kit.environment}/{backup_id}/{name}"
    try:
        proof = read_verification(kit.read(key), name=key)
        require_place(key, verification_key(kit.environment, backup_id, proof.run_id), f"of the run {proof.run_id}")
        return proof
    except MissingObject:
        return None
    except ManifestError as error:
        found.unreadable.append((key, f"{error.message}: {error.why}"))
        found.not_understood.append((backup_id, f"{error.message.replace(key, name)}: {error.why}"))
        return None


def _mark(kit: _Documents, backup_id: str, name: str, found: _Found) -> Mark | None:
    """The mark; None for anything else that lies there, which a later handrail may have written to keep the backup."""
    key = f"{kit.environment}/{backup_id}/{name}"
    if not name.startswith("mark-"):
        found.not_understood.append((backup_id, f"{name} is nothing that this handrail knows"))
        return None
    try:
        mark = read_mark(kit.read(key), name=key)
        require_place(key, mark_key(kit.environment, backup_id, mark.id), f"the mark {mark.id}")
        return mark
    except MissingObject:
        return None
    except ManifestError as error:
        found.not_understood.append((backup_id, f"{error.message.replace(key, name)}: {error.why}"))
        return None
