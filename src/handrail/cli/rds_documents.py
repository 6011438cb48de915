"""What `--json` prints about RDS: snapshots, instances, their settings, restores and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from handrail.backups.difference import BackupDifference
from handrail.snapshots.export import Export
from handrail.snapshots.instance import InstanceSettings, Quota, RecoveryWindow
from handrail.snapshots.losses import Setting, SettingDifference
from handrail.snapshots.snapshot import Snapshot
from handrail.workflows.hosted import TableCount


@dataclass(frozen=True, slots=True)
class SnapshotSummary:
    """One snapshot. `created_at` is null until it is available. `size_gb` is the storage of the instance, `full_size`
    the bytes that were written in it (null where RDS does not say); neither is what is paid for, as snapshots share
    blocks. `backup` is the id of the backup whose manifest in the store tells of it, else null."""

    id: str
    arn: str
    instance: str
    kind: str
    status: str
    percent: int | None
    created_at: datetime | None
    size_gb: int
    full_size: int | None
    tier: str | None
    run: str | None
    revisions: tuple[str, ...]
    target: tuple[str, ...]
    expires: datetime | None
    is_pinned: bool
    backup: str | None

    @classmethod
    def of(cls, snapshot: Snapshot, backup: str | None = None) -> SnapshotSummary:
        label = snapshot.label
        return cls(
            id=snapshot.id,
            arn=snapshot.arn,
            instance=snapshot.instance,
            kind=snapshot.kind.value,
            status=snapshot.status,
            percent=snapshot.percent,
            created_at=snapshot.created_at,
            size_gb=snapshot.size_gb,
            full_size=snapshot.full_size,
            tier=snapshot.tier.value if snapshot.tier else None,
            run=label.run_id if label else None,
            revisions=label.revisions if label else (),
            target=label.target if label else (),
            expires=label.expires if label else None,
            is_pinned=bool(label and label.is_pinned),
            backup=backup,
        )


@dataclass(frozen=True, slots=True)
class TemporaryInstance:
    """An instance that a run has made for itself; when no run is under way, it is left over and costs money."""

    id: str
    status: str
    run: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class SnapshotList:
    """The snapshots of the instance (with --all: of the region), newest first, and how many more there may be."""

    region: str
    instance: str
    snapshots: tuple[SnapshotSummary, ...]
    temporary: tuple[TemporaryInstance, ...]
    quota: Quota


@dataclass(frozen=True, slots=True)
class Waited:
    """What was waited for is available. `kind` is "snapshot" or "instance"; an endpoint only an instance has."""

    kind: str
    id: str
    status: str
    seconds: float
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class SettingsDocument:
    """The settings of the live instance, in words; which of them a plain restore loses; and with --from how they differ
    from those that were saved (`origin` says where)."""

    instance: str
    status: str
    settings: tuple[Setting, ...]
    pending: Mapping[str, str]
    origin: str | None = None
    saved: InstanceSettings | None = None
    differences: tuple[SettingDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceRestored:
    """A new instance. `moment` is null when it was restored from a snapshot, or as of the newest moment. `difference`
    goes from the new instance to the live database, with rows counted and not read; null when the live one could not be
    read. `proof` says what it was proven against, "" when there is no manifest."""

    instance: str
    host: str
    port: int | None
    source: str
    moment: datetime | None
    settings_of: str
    seconds: float
    revisions: tuple[str, ...]
    live_revisions: tuple[str, ...] | None
    tables: tuple[TableCount, ...]
    difference: BackupDifference | None
    proof: str


@dataclass(frozen=True, slots=True)
class SwitchDocument:
    """Which instance has the live name now, and what the old one is called; `commands` are those that go back."""

    live: str
    resource_id: str
    aside: str
    endpoint: str
    revisions: tuple[str, ...]
    not_following: tuple[str, ...]
    back: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AutomatedDocument:
    """The automated backups of the instance: as they are, or as they were asked for. `changes` are in words, () when
    nothing was changed. `window` holds the moments that can be restored, null when there are none; `rpo` is how many
    seconds would be lost now."""

    instance: str
    retention_days: int
    backup_window: str
    maintenance_window: str
    aws_backup: str
    window: RecoveryWindow | None
    rpo: float | None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportDocument:
    """An export task: Parquet for analysis, from which no database can be restored. `is_whole` is null while it runs.
    `deleted` is the snapshot that was deleted after it, null when none was."""

    export: Export
    snapshot: str
    is_whole: bool | None
    deleted: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedDocument:
    """A restorable archive in a store of its own, and when it was proven. `snapshot` is what it was made of, null for
    the live database; `deleted` the snapshot that it stands in for now, null when none was deleted."""

    backup: str
    place: str
    size: int
    verified_at: datetime | None
    storage_class: str | None
    snapshot: str | None
    deleted: str | None


RDS_RESULTS: Final[Mapping[str, type]] = {
    "rds list": SnapshotList,
    "rds snapshot": SnapshotSummary,
    "rds wait": Waited,
    "rds settings": SettingsDocument,
    "rds restore": InstanceRestored,
    "rds pitr": InstanceRestored,
    "rds switch": SwitchDocument,
    "rds automated": AutomatedDocument,
    "rds export": ExportDocument,
    "backup archive": ArchivedDocument,
}
