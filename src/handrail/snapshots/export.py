"""An export of a snapshot to S3: Parquet for analysis, from which no database can be restored (G4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

_STARTED: Final = frozenset({"STARTING", "IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """`role` and `key` are ARNs that AWS asks for; `only` are tables or schemas, as in "db.schema.table"."""

    id: str
    snapshot_arn: str
    bucket: str
    prefix: str
    role: str
    key: str
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """One export task as it was described; `status` in capitals, whatever was answered."""

    id: str
    snapshot_arn: str
    status: str
    bucket: str = ""
    prefix: str = ""
    percent: int | None = None
    size_gb: int | None = None
    warning: str = ""
    failure: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        return self.status in _STARTED

    @property
    def is_whole(self) -> bool:
        """Whether it ended without leaving tables out: one that is COMPLETE may carry a warning of those it skipped."""
        return self.status == "COMPLETE" and not self.warning
