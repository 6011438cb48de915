"""The catalog: all backups of an environment as values, and the choice of one of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from handrail.backups.record import AnyBackup, ListedBackup
from handrail.errors import BackupError

#: The folder of an environment's drills, among those of its backups.
DRILLS = "drills"
#: How to restore the backup beside which it lies.
SHEET = "RECOVERY.txt"
#: What was copied, file by file or piece by piece, which an increment has to know; stored as the artifact is.
INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Backups, newest first, and what in the store could not be read (key → why).

    `not_understood` are backups beside which something lies that this handrail does not know (id → what). `deleted` are
    those whose deletion has begun and was not finished, `unfinished` those without a manifest: under way, or left by a
    run that was killed. Neither are among the records. `places` says in which stores each backup lies (its id → their
    places, in the order of the configuration).
    """

    records: tuple[ListedBackup, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    not_understood: tuple[tuple[str, str], ...] = ()
    deleted: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def union(shelves: Sequence[tuple[str, Catalog]], failed: tuple[tuple[str, str], ...] = ()) -> Catalog:
    """The catalog of several stores, each given as its place and what it holds; `failed` are those that could not be
    read. A backup is what the first store says it is; what any store knows of its verifications and marks counts, and
    a deletion that has begun in one is one of the backup. A store whose manifest says something else is told, and does
    not count as one that holds the backup."""
    records: dict[str, ListedBackup] = {}
    places: dict[str, tuple[str, ...]] = {}
    deleted = {one for _, shelf in shelves for one in shelf.deleted}
    unreadable = list(failed)
    is_one = len(shelves) + len(failed) == 1
    for place, shelf in shelves:
        unreadable += [(key if is_one else f"{place}/{key}", why) for key, why in shelf.unreadable]
        for record in (one for one in shelf.records if one.id not in deleted):
            first = records.setdefault(record.id, record)
            if _bare(first) != _bare(record):
                key = f"{place}/{manifest_key(record.environment, record.id)}"
                unreadable.append((key, f"it says something else than the one in {places[record.id][0]}"))
                continue
            places[record.id] = (*places.get(record.id, ()), place)
            records[record.id] = _with_all(first, record)
    unfinished = {one for _, shelf in shelves for one in shelf.unfinished} - deleted - set(records)
    return Catalog(
        tuple(sorted(records.values(), key=lambda record: record.created_at, reverse=True)),
        tuple(unreadable),
        tuple(dict.fromkeys(one for _, shelf in shelves for one in shelf.not_understood)),
        tuple(sorted(deleted)),
        tuple(sorted(unfinished)),
        places,
    )


def _bare(record: ListedBackup) -> ListedBackup:
    """Without what other documents say."""
    return replace(record, verifications=(), marks=())


def _with_all(first: ListedBackup, other: ListedBackup) -> ListedBackup:
    verifications = {one.run_id: one for one in (*other.verifications, *first.verifications)}
    marks = {one.id: one for one in (*other.marks, *first.marks)}
    return replace(
        first,
        verifications=tuple(verifications[run_id] for run_id in sorted(verifications)),
        marks=tuple(sorted(marks.values(), key=lambda mark: (mark.at, mark.id))),
    )


def artifact_key(
    environment: str, backup_id: str, compression: str, *, is_encrypted: bool = False, name: str = "artifact"
) -> str:
    suffix = (".zst" if compression == "zstd" else "") + (".age" if is_encrypted else "")
    return f"{environment}/{backup_id}/{name}{suffix}"


def manifest_key(environment: str, backup_id: str) -> str:
    return f"{environment}/{backup_id}/manifest.json"


def sheet_key(environment: str, backup_id: str) -> str:
    return f"{environment}/{backup_id}/{SHEET}"


def verification_key(environment: str, backup_id: str, run_id: str) -> str:
    return f"{environment}/{backup_id}/verified-{run_id}.json"


def mark_key(environment: str, backup_id: str, mark_id: str) -> str:
    return f"{environment}/{backup_id}/mark-{mark_id}.json"


def deletion_key(environment: str, backup_id: str) -> str:
    return f"{environment}/{backup_id}/deleted.json"


def drill_key(environment: str, run_id: str) -> str:
    """Beside the backups, not in the folder of one: what a drill has proven outlives the backup."""
    return f"{environment}/{DRILLS}/{run_id}.json"


def choose(records: Sequence[AnyBackup], wanted: str) -> AnyBackup:
    """The backup that `wanted` names: "latest", "verified" (the newest verified one), an id or a unique prefix."""
    if not records:
        raise BackupError("there is no backup yet", hint="make one: handrail backup create", code="HR501")
    newest_first = sorted(records, key=lambda record: record.created_at, reverse=True)
    if wanted == "latest":
        return newest_first[0]
    if wanted == "verified":
        return _newest_verified(newest_first)
    exact = [record for record in newest_first if record.id == wanted]
    found = exact or [record for record in newest_first if wanted and record.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    word = difflib.get_close_matches(wanted, ("latest", "verified"), n=1)
    raise BackupError(
        f"no backup has the id {wanted!r}"
        if not found
        else f"{len(found)} backups have an id that begins with {wanted}",
        why="" if not found else ", ".join(record.id for record in found),
        hint=f"did you mean {word[0]}? Else handrail backup list shows all ids"
        if word
        else "handrail backup list shows all ids",
        code="HR502",
    )


def _newest_verified(newest_first: Sequence[AnyBackup]) -> AnyBackup:
    for record in newest_first:
        if record.is_verified:
            return record
    raise BackupError(
        "no backup has been verified yet", hint=f"verify one: handrail backup verify {newest_first[0].id}", code="HR503"
    )
