"""Waiting for a snapshot or an instance: the only poller, for adapters and workflows alike.

AWS's own waiters end at the first answer that they do not know, and one of them takes a snapshot that is not there for
one that is done. This one tolerates what passes: a name that is not to be seen yet, throttling, unknown states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from handrail.databases.snapshots import NotThere, SnapshotError, Snapshots, TriedTooOften, WrongState
from handrail.snapshots.instance import Instance, InstanceSettings
from handrail.snapshots.snapshot import Snapshot
from handrail.snapshots.waiting import OnWait, Outlook, Wait, instance_outlook, pause, snapshot_outlook, unheard

_Found = TypeVar("_Found", Snapshot, Instance)


class NeverReady(SnapshotError):
    """What was waited for has failed, or was deleted meanwhile."""

    code = "HR588"


class NotReadyYet(SnapshotError):
    """The deadline has passed; what was waited for may still become ready."""

    code = "HR589"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: `deadline` in seconds from now; for how many of them the name may be missing (`grace`).

    `clock` counts seconds (time.monotonic), `sleep` lets some pass."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    deadline: float
    grace: float = 60.0


def wait_for_snapshot(
    snapshots: Snapshots, name: str, patience: Patience, *, heard: OnWait = unheard, longest: float = 30.0
) -> Snapshot:
    """The snapshot once it is available; `heard` is told of every look, `longest` seconds lie between two at most.

    NeverReady when it fails, NotReadyYet at the deadline, NotThere when it is not to be seen; other errors pass."""
    return _waited(
        partial(snapshots.snapshot, name), snapshot_outlook, _Watch(f"snapshot {name}", name, patience, heard), longest
    )


def wait_for_instance(
    snapshots: Snapshots, name: str, patience: Patience, *, heard: OnWait = unheard, longest: float = 30.0
) -> Instance:
    """The same for an instance, which is ready when it is available and has an endpoint."""
    return _waited(
        partial(snapshots.instance, name), instance_outlook, _Watch(f"instance {name}", name, patience, heard), longest
    )


def drop_temporary(snapshots: Snapshots, name: str, patience: Patience, *, heard: OnWait = unheard) -> None:
    """Drop an instance that was made for a while, also one that is still being made, which RDS refuses to drop."""
    try:
        snapshots.drop_instance(name)
    except WrongState:
        wait_for_instance(snapshots, name, patience, heard=heard)
        snapshots.drop_instance(name)


def wait_until_gone(snapshots: Snapshots, name: str, patience: Patience, *, heard: OnWait = unheard) -> None:
    """Return when there is no such instance any more. NotReadyYet at the deadline."""
    begun = patience.clock()
    while True:
        try:
            text = snapshots.instance(name).status
        except NotThere:
            return
        except TriedTooOften as error:
            text = error.message
        waited = patience.clock() - begun
        if waited >= patience.deadline:
            raise _late(f"instance {name}", name, text, patience)
        heard(Wait(Outlook.WAIT, text))
        patience.sleep(min(pause(waited), patience.deadline - waited))


#: How many changes a new instance may need after each other: some are only accepted after others.
_CHANGES = 6


def settle(
    snapshots: Snapshots, name: str, settings: InstanceSettings, patience: Patience, *, heard: OnWait = unheard
) -> tuple[str, ...]:
    """Bring an available instance to these settings, one change after the other; what was changed, in words.

    NotReadyYet when it still differs after that: AWS takes some changes only later."""
    done: list[str] = []
    for _ in range(_CHANGES):
        words = snapshots.settle(name, settings)
        if not words:
            return tuple(dict.fromkeys(done))
        done += words
        patience.sleep(2.0)  # AWS says "available" for a moment after it has accepted a change
        wait_for_instance(snapshots, name, patience, heard=heard)
    raise NotReadyYet(
        f"the instance {name} has not taken all settings",
        why=f"still asked for: {', '.join(words)}",
        hint=f"look at it: aws rds describe-db-instances --db-instance-identifier {name}",
    )


@dataclass(frozen=True, slots=True)
class _Watch:
    what: str
    name: str
    patience: Patience
    heard: OnWait


def _waited(
    look: Callable[[], _Found], outlook: Callable[[_Found | None], Wait], watch: _Watch, longest: float
) -> _Found:
    patience = watch.patience
    begun = last_seen = patience.clock()
    while True:
        found, missing, wait = _looked(look, outlook)
        watch.heard(wait)
        if found is not None and wait.outlook is Outlook.READY:
            return found
        if wait.outlook is Outlook.FAILED:
            raise _failed(watch, wait)
        now = patience.clock()
        last_seen = last_seen if missing else now
        left = patience.deadline - (now - begun)
        is_late = left < 0.01  # less than a clock tells apart
        if missing is not None and (is_late or now - last_seen >= patience.grace):
            raise missing
        if is_late:
            raise _late(watch.what, watch.name, wait.text, patience)
        patience.sleep(min(pause(now - begun, longest=longest), left))


def _looked(
    look: Callable[[], _Found], outlook: Callable[[_Found | None], Wait]
) -> tuple[_Found | None, NotThere | None, Wait]:
    """What was found, that it is missing, and what either says."""
    try:
        found = look()
    except NotThere as error:
        return None, error, outlook(None)
    except TriedTooOften as error:
        return None, None, Wait(Outlook.WAIT, error.message)
    return found, None, outlook(found)


def _failed(watch: _Watch, wait: Wait) -> NeverReady:
    return NeverReady(
        f"{watch.what} will not become available",
        why=f"its state is {wait.text}",
        hint=f"AWS says why in its events: aws rds describe-events --source-identifier {watch.name}"
        f" --source-type db-{watch.what.partition(' ')[0]} --duration 1440",
    )


def _late(what: str, name: str, text: str, patience: Patience) -> NotReadyYet:
    return NotReadyYet(
        f"{what} is not there after {_span(patience.deadline)}",
        why=f"the last that was heard of it: {text}",
        hint=f"it goes on by itself: handrail rds wait {name}; `rds.deadline` of the environment allows more time",
    )


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
