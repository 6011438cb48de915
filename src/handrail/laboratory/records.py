"""What the laboratory remembers of a region: instances, snapshots, exports, events; and how they are written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

Settings = dict[str, Any]
Tags = dict[str, str]


@dataclass
class Instance:
    """One DB instance. `settings` are carried under AWS's own names; `port` is 0 where there is no server (seeded)."""

    identifier: str
    resource: str
    status: str
    created: datetime
    serial: int
    port: int = 0
    major: int = 0
    settings: Settings = field(default_factory=dict)
    pending: Settings = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    #: The end of what its archive holds; None while there is none.
    latest: datetime | None = None
    #: Whether a server with data is behind it.
    has_data: bool = True

    @property
    def retention(self) -> int:
        return int(self.settings.get("BackupRetentionPeriod", 0))

    @property
    def is_cluster_member(self) -> bool:
        return "DBClusterIdentifier" in self.settings or str(self.settings.get("Engine", "")).startswith("aurora")


@dataclass
class Snapshot:
    """One DB snapshot. `taken` is told only once it is available; `data` names its folder, empty where it has none."""

    identifier: str
    instance: str
    resource: str
    kind: str
    status: str
    serial: int
    taken: datetime | None = None
    original: datetime | None = None
    #: The end of its base backup, from which on WAL continues it.
    ended: datetime | None = None
    percent: int = 0
    data: str = ""
    major: int = 0
    size: int = 0
    settings: Settings = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    #: Whom it is shared with.
    shared: list[str] = field(default_factory=list)
    #: Faults: stay at a percent, fail at one, never tell the time.
    hold_at: int | None = None
    fail_at: int | None = None
    hides_time: bool = False


@dataclass
class Retained:
    """The automated backups of an instance that was deleted."""

    identifier: str
    resource: str
    serial: int
    created: datetime
    latest: datetime | None
    port: int
    major: int
    settings: Settings = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)


@dataclass
class Export:
    """One export of a snapshot to S3."""

    identifier: str
    serial: int
    source: str
    snapshot: str
    status: str
    bucket: str
    prefix: str
    role: str
    key: str
    only: list[str] = field(default_factory=list)
    percent: int = 0
    snapshot_time: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure: str = ""
    warning: str = ""
    gigabytes: int = 0


@dataclass
class Event:
    """What happened to an instance or a snapshot, when."""

    serial: int
    source: str
    kind: str
    message: str
    categories: list[str]
    date: datetime


def to_plain(record: Any) -> dict[str, Any]:
    """A record as JSON's types; times are marked, as settings hold some, too."""
    return {key: _plain(value) for key, value in asdict(record).items()}


def from_plain(kind: type[Any], values: dict[str, Any]) -> Any:
    """The record again; what a newer laboratory wrote besides is left out."""
    known = {one.name for one in fields(kind)}
    return kind(**{key: _back(value) for key, value in values.items() if key in known})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _back(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$time"}:
            return datetime.fromisoformat(value["$time"])
        return {key: _back(item) for key, item in value.items()}
    return [_back(item) for item in value] if isinstance(value, list) else value


def tags_of(given: Iterable[dict[str, str]] | None) -> Tags:
    """Tags as AWS's requests hold them."""
    return {one["Key"]: one.get("Value", "") for one in given or ()}


def tag_list(tags: Tags) -> list[dict[str, str]]:
    """Tags as AWS's answers hold them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
