"""What is known about one backup: its headline, its artifact, when it was verified, and all that its manifest says."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from handrail.backups.methods import HOSTED, DumpRequest, known_format
from handrail.facts import DatabaseFacts, Fingerprint, TableName


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """Bytes in a store. `size` and `digest` (BLAKE3, hex) are of the stored, that is compressed and then encrypted,
    bytes. `recipients` are the public keys that it is encrypted to (by `encryption`: "age", or "none")."""

    key: str
    size: int
    digest: str
    compression: str
    encryption: str = "none"
    recipients: tuple[str, ...] = ()

    @property
    def is_encrypted(self) -> bool:
        return self.encryption != "none"


@dataclass(frozen=True, slots=True)
class Verification:
    """One proof that a backup restores: restored into a scratch database, fingerprint compared with the source's.

    `differences` is empty when they were equal. `seconds` is the measured time to restore (without comparing)."""

    at: datetime
    run_id: str
    seconds: float
    differences: tuple[str, ...] = ()

    @property
    def is_proof(self) -> bool:
        return not self.differences


class MarkKind(StrEnum):
    PIN = "pin"
    UNPIN = "unpin"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said about a backup: a document of its own beside the manifest, written once.

    A pin keeps the backup, until a moment or for good. An unpin names the pins that it takes back (`lifts`), so that no
    clock decides which came last. A note may call the backup a `milestone`.
    """

    id: str
    at: datetime
    kind: MarkKind
    text: str = ""
    until: datetime | None = None
    milestone: str = ""
    lifts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deletion:
    """Written into a backup's folder before anything of it is deleted, and deleted last: from then on it is no backup
    any more, and whoever finds it finishes the deletion. `reasons` are words."""

    run_id: str
    at: datetime
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Headline:
    """One backup but for its tables, of which there may be 100,000: whatever looks at many backups works with these.
    Everything about the database is of the dump's own snapshot; `created_at` is aware UTC.

    `database` is the address without password. `reason` says what it was made for ("upgrade to c3a1…", "by hand").
    """

    id: str
    run_id: str
    created_at: datetime
    environment: str
    database: str
    engine: str
    format: str
    tool: str
    server_version: str
    revisions: tuple[str, ...]
    artifact: StoredArtifact
    seconds: float
    reason: str
    git_commit: str
    handrail_version: str
    verifications: tuple[Verification, ...] = ()
    #: Of a part of the database: the tables whose rows it holds, or none of any.
    tables: tuple[TableName, ...] = ()
    schema_only: bool = False
    #: Tables that were written to while files were copied: not compared when it is proven.
    changed_meanwhile: tuple[TableName, ...] = ()
    #: What was copied, file by file or piece by piece, so that an increment can be built on it.
    inventory: StoredArtifact | None = None
    #: Of an increment: the backup that it builds on, without which it cannot be restored.
    parent: str = ""
    marks: tuple[Mark, ...] = ()
    #: Of a snapshot: the most bytes that the host keeps for it; the artifact only tells of it.
    hosted_size: int | None = None

    @property
    def request(self) -> DumpRequest:
        """What the dump was asked for: how to read it again. BackupError when its format is of a newer handrail."""
        return DumpRequest(known_format(self.format), self.tables, self.schema_only)

    @property
    def is_hosted(self) -> bool:
        """Whether its content is a snapshot that the database's host keeps."""
        return self.format in HOSTED

    @property
    def size(self) -> int:
        """The bytes that are kept for it, wherever: of a snapshot the most that it can be."""
        return self.artifact.size + (self.hosted_size or 0)

    @property
    def is_whole(self) -> bool:
        return not self.tables and not self.schema_only

    @property
    def is_verified(self) -> bool:
        """Whether the last verification was a proof: one that failed since tells that the backup has gone bad."""
        return self.verified_at is not None

    @property
    def has_failed(self) -> bool:
        """Whether the last verification found that it does not restore."""
        return bool(self.verifications) and not self.is_verified

    @property
    def verified_at(self) -> datetime | None:
        """When the last verification proved it; None where that one failed."""
        last = max(self.verifications, key=lambda one: one.at, default=None)
        return last.at if last is not None and last.is_proof else None

    @property
    def pins(self) -> tuple[Mark, ...]:
        """The pins that nobody has taken back; whether one has ended is a question of the time."""
        lifted = {pin for mark in self.marks for pin in mark.lifts}
        return tuple(mark for mark in self.marks if mark.kind is MarkKind.PIN and mark.id not in lifted)

    @property
    def notes(self) -> tuple[Mark, ...]:
        """The notes that say something, oldest first."""
        return tuple(mark for mark in self.marks if mark.kind is MarkKind.NOTE and mark.text)

    @property
    def milestones(self) -> frozenset[str]:
        return frozenset(mark.milestone for mark in self.marks if mark.milestone)


@dataclass(frozen=True, slots=True)
class ListedBackup(Headline):
    """A backup as the catalog has it: `rows` of all its tables, and the `seal` of its manifest, which is the same only
    where the whole manifest is."""

    rows: int = field(kw_only=True)
    seal: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class BackupRecord(Headline):
    """One backup with what is known of each of its tables."""

    fingerprint: Fingerprint = field(kw_only=True)
    facts: DatabaseFacts = field(kw_only=True)
    #: Of an encrypted backup that was read from its manifest: the digests that `fingerprint` lacks, encrypted by age.
    sealed_digests: str = ""

    def listed(self, seal: str) -> ListedBackup:
        """As the catalog has it, with the seal of its manifest."""
        headline = {one.name: getattr(self, one.name) for one in fields(Headline)}
        return ListedBackup(**headline, rows=self.fingerprint.rows, seal=seal)


AnyBackup = TypeVar("AnyBackup", bound=Headline)
