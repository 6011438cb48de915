"""When a wait for a snapshot or an instance is over. RDS has states that its documentation does not list; what is not
known goes on waiting, and only the deadline ends that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Snapshot


class Outlook(StrEnum):
    WAIT = "wait"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Wait:
    """What one look said: `text` is for people ("creating, 40 %")."""

    outlook: Outlook
    text: str
    percent: int | None = None


#: Told of every look while something is waited for.
OnWait = Callable[[Wait], None]


def unheard(_wait: Wait) -> None:
    """Tells nobody."""


#: A snapshot that is one of these never becomes available.
_LOST_SNAPSHOT: Final = frozenset({"failed", "deleted", "deleting", "incompatible-restore", "incompatible-parameters"})
#: An instance that is one of these needs a person.
_LOST_INSTANCE: Final = frozenset(
    {
        "failed",
        "deleting",
        "deleted",
        "incompatible-restore",
        "incompatible-parameters",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-credentials",
        "inaccessible-encryption-credentials",
        "insufficient-capacity",
        "restore-error",
        "storage-full",
    }
)


def snapshot_outlook(snapshot: Snapshot | None) -> Wait:
    """None: it could not be seen, which just after it was asked for says nothing."""
    if snapshot is None:
        return Wait(Outlook.WAIT, "not to be seen yet")
    if snapshot.is_available:
        return Wait(Outlook.READY, "available", 100)
    if snapshot.status in _LOST_SNAPSHOT:
        return Wait(Outlook.FAILED, snapshot.status)
    share = f", {snapshot.percent} %" if snapshot.percent is not None else ""
    return Wait(Outlook.WAIT, f"{snapshot.status}{share}", snapshot.percent)


def instance_outlook(instance: Instance | None) -> Wait:
    """The same for an instance; one without an endpoint cannot be used yet."""
    if instance is None:
        return Wait(Outlook.WAIT, "not to be seen yet")
    if instance.is_available and instance.host:
        return Wait(Outlook.READY, "available")
    if instance.status in _LOST_INSTANCE:
        return Wait(Outlook.FAILED, instance.status)
    return Wait(Outlook.WAIT, instance.status)


def pause(waited: float, *, longest: float = 30.0) -> float:
    """Seconds until the next look: short at first, as a small snapshot is made in seconds, then at the pace at which
    RDS changes its mind."""
    return min(longest, max(2.0, waited / 10))
