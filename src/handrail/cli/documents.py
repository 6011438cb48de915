"""What `--json` prints as `result`, one type per command; `results.py` says which is whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from handrail.backups.methods import Method, Way
from handrail.backups.record import ListedBackup
from handrail.databases.database import Probe
from handrail.enums.listing import EnumColumn
from handrail.enums.words import Drift, DriftKind
from handrail.guard.plan import Step
from handrail.lint.finding import Finding
from handrail.migrations.revision import Revision
from handrail.retention.candidate import Pin
from handrail.workflows.recover import Settled


@dataclass(frozen=True, slots=True)
class Initialised:
    """The file that was written, and what was found: the database, and whether env.py is asynchronous. With --github:
    `written` is "", `workflows` are the files that are there now, `trust_policy` is that of the role, as JSON.
    With --aws: `written` is the template."""

    written: str
    database: str
    is_async: bool
    workflows: tuple[str, ...] = ()
    trust_policy: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a guarded run needs, and whether it is there. A probe whose `ok` is null is a remark."""

    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Where the database stands. `current` and `pending` are revisions, backups, drills and runs are ids. `warnings`
    tell what is too old, or wrong with the archive."""

    environment: str
    database: str
    current: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[str, ...]
    last_backup: str | None
    last_verified_backup: str | None
    interrupted_runs: tuple[str, ...]
    runs_at_work: tuple[str, ...]
    last_drill: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What lint found, in reading order."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Revised:
    """The scripts that were written, the server defaults taken from the models ("bookings.seats = '0'"), the findings
    that were repaired in the scripts, and those that remain; differences of enum columns that were left alone, and what
    else is to be known; what a person has to write into the scripts before they can run on rows. `model_line` is what
    the model has to say from now on, "" where it says so."""

    scripts: tuple[str, ...]
    defaults: tuple[str, ...]
    repaired: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    to_write: tuple[str, ...] = ()
    model_line: str = ""


@dataclass(frozen=True, slots=True)
class EnumList:
    """The enum columns of the models, as models and database have them."""

    engine: str
    columns: tuple[EnumColumn, ...]


@dataclass(frozen=True, slots=True)
class DriftDocument:
    """One difference of an enum column. `column` is null for a type that no column uses; `hint` says what to type."""

    kind: DriftKind
    column: str | None
    message: str
    hint: str

    @classmethod
    def of(cls, drift: Drift) -> DriftDocument:
        return cls(drift.kind, None if drift.column is None else str(drift.column), drift.message, drift.hint)


@dataclass(frozen=True, slots=True)
class EnumDrift:
    """How models and database differ in enum columns; empty when they agree. `pending` are revisions that the database
    does not have yet, whose changes show as differences."""

    pending: tuple[str, ...]
    drifts: tuple[DriftDocument, ...]


@dataclass(frozen=True, slots=True)
class Current:
    """The revisions that the database is stamped with; empty at base."""

    current: tuple[str, ...]
    heads: tuple[str, ...]
    database: str


@dataclass(frozen=True, slots=True)
class ScriptDocument:
    """One migration script. `path` is relative to the project where it can be."""

    id: str
    down_revisions: tuple[str, ...]
    message: str
    path: str
    is_head: bool
    branch_labels: tuple[str, ...]

    @classmethod
    def of(cls, script: Revision) -> ScriptDocument:
        return cls(script.id, script.down_revisions, script.message, script.path, script.is_head, script.branch_labels)


@dataclass(frozen=True, slots=True)
class History:
    """All migration scripts, newest first."""

    current: tuple[str, ...]
    revisions: tuple[ScriptDocument, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pending revisions; with none pending, the differences between models and database."""

    pending: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """What an upgrade would do. `sql` is by revision; `refused` holds the reasons why it would do nothing.
    `warnings` are about markers that declare nothing."""

    revisions: tuple[str, ...] = ()
    sql: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamped:
    """The revisions that the database was stamped with, and is now."""

    before: tuple[str, ...]
    current: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """How each open run was settled; empty when none was open."""

    settled: tuple[Settled, ...]


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """One backup. `size` is of the stored bytes; `verified_at` is null until it was proven to restore. `tables` are
    those whose rows it holds, none of them named for all; with `schema_only` it holds no rows. `pins` are those that
    nobody has taken back. `encryption` is "age" or "none"; `stores` are the places in which it lies. `parent` is the
    backup that an increment builds on, "" for any other."""

    id: str
    created_at: datetime
    environment: str
    database: str
    revisions: tuple[str, ...]
    size: int
    rows: int
    verified_at: datetime | None
    reason: str
    format: str
    tables: tuple[str, ...]
    schema_only: bool
    pins: tuple[Pin, ...]
    milestones: tuple[str, ...]
    encryption: str
    stores: tuple[str, ...]
    parent: str

    @classmethod
    def of(cls, record: ListedBackup, stores: tuple[str, ...]) -> BackupSummary:
        return cls(
            record.id,
            record.created_at,
            record.environment,
            record.database,
            record.revisions,
            record.size,
            record.rows,
            record.verified_at,
            record.reason,
            record.format,
            tuple(map(str, record.tables)),
            record.schema_only,
            tuple(Pin(pin.text, pin.until) for pin in record.pins),
            tuple(sorted(record.milestones)),
            record.artifact.encryption,
            stores,
            record.parent,
        )


@dataclass(frozen=True, slots=True)
class BackupList:
    """The environment's backups, newest first; `unreadable` maps the key of a damaged document to the reason;
    `half_deleted` are ids of which an interrupted prune has left something."""

    backups: tuple[BackupSummary, ...]
    unreadable: Mapping[str, str]
    half_deleted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupWays:
    """The ways to back up a database of this engine, in words; `default` is the method that is taken unless told."""

    engine: str
    default: Method
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class CopiedBackup:
    """A backup and where it was copied to: `copies` maps each place to whether its artifact had to be written there;
    where not, a whole one was there already. All of them were read back."""

    backup: str
    copies: Mapping[str, bool]
