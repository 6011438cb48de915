"""An export of a snapshot to S3: Parquet for analysis, from which no database can be restored (G4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from handrail.errors import BackupError

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


#: AWS allows 60 characters.
_LONGEST: Final = 60


class ExportNotWhole(BackupError):
    """An export has ended and does not hold everything."""

    code = "HR595"


def export_id(snapshot: str, bucket: str, prefix: str) -> str:
    """The name of the export of a snapshot to a place: the same for the same, so that asking twice exports once."""
    digest = sha256(f"{snapshot} {bucket} {prefix}".encode()).hexdigest()[:8]
    return f"{snapshot[: _LONGEST - len(digest) - 1].rstrip('-')}-{digest}"


def require_whole(export: Export) -> None:
    """ExportNotWhole for one that left tables out, failed or was cancelled: then it stands for nothing."""
    if export.is_whole:
        return
    if export.status == "COMPLETE":
        raise ExportNotWhole(
            f"the export {export.id} is complete, and not whole",
            why=export.warning,
            hint="export the tables that are missing by themselves (--only, to another prefix), or keep them by"
            " handrail backup archive",
        )
    raise ExportNotWhole(
        f"the export {export.id} is {export.status.lower()}",
        why=export.failure or export.warning,
        hint="remove the reason, then export to another prefix; what it has written stays in the bucket",
    )
