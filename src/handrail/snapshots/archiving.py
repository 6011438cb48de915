"""Long keeping: which snapshot may be deleted because a restorable archive stands in for it."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.errors import UsageError
from handrail.snapshots.snapshot import Snapshot, SnapshotKind


class NotReplaced(UsageError):
    """The snapshot is not deleted. Nothing was begun."""

    code = "HR596"


def archive_reason(snapshot: Snapshot | None) -> str:
    """What an archive's manifest says it was made for."""
    return f"archive of the snapshot {snapshot.arn}" if snapshot else "archive"


def require_replaceable(snapshot: Snapshot, others: Iterable[Snapshot]) -> None:
    """NotReplaced when the snapshot must stay, whatever is made of it: known before hours are spent on an archive."""
    why = _kept_by(snapshot, others)
    if why:
        raise NotReplaced(
            f"the snapshot {snapshot.id} is not deleted",
            why=why,
            hint=f"archive it and keep it: handrail backup archive --snapshot {snapshot.id} without --delete-snapshot",
        )


def _kept_by(snapshot: Snapshot, others: Iterable[Snapshot]) -> str:
    label = snapshot.label
    if snapshot.kind is not SnapshotKind.MANUAL:
        return f"it is {snapshot.kind.value}: only manual ones can be deleted one by one"
    if label is None:
        return "its tags do not say that handrail manages it"
    if label.is_pinned:
        return "it is pinned"
    mine = snapshot.created_at
    is_newest = mine is None or not any(
        one.instance == snapshot.instance
        and one.kind is SnapshotKind.MANUAL
        and one.is_available
        and one.created_at is not None
        and one.created_at > mine
        for one in others
    )
    return f"it is the newest good snapshot of {snapshot.instance}" if is_newest else ""
