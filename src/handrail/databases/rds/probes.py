"""What `handrail doctor` wants to know about the instance: read here, judged in `snapshots/checks.py`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from handrail.databases.database import Probe
from handrail.databases.hosting import Hosting
from handrail.databases.rds.place import leads_to
from handrail.databases.snapshots import SnapshotError, require_single
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress
from handrail.snapshots.checks import ACTIONS, Seen, checks
from handrail.snapshots.instance import Instance, Quota, RecoveryWindow


def probe(hosting: Hosting, address: DatabaseAddress, application: str, now: datetime) -> Iterator[Probe]:
    """The lines about the instance; one line alone where it cannot be read."""
    try:
        instance = require_single(hosting.snapshots.instance(hosting.instance))
        window = _window(hosting)
    except SnapshotError as error:
        yield Probe("RDS instance", False, f"{error.message}: {error.why}", error.hint)
        return
    seen = Seen(
        instance,
        window,
        _quota(hosting),
        hosting.snapshots.rights(_actions(), _resources(instance)),
        _leads_to(address, instance, application),
        address.host or "",
        now,
    )
    for one in checks(seen):
        yield Probe(one.name, one.ok, one.detail, one.hint)


def _actions() -> tuple[str, ...]:
    return tuple(sorted({action for needed in ACTIONS.values() for action in needed}))


def _resources(instance: Instance) -> tuple[str, ...]:
    """The instance, one beside it, and a snapshot: rights may be limited to names."""
    stem = instance.arn.removesuffix(f":db:{instance.id}")
    return (instance.arn, f"{instance.arn}-copy", f"{stem}:snapshot:before-migration-1")


def _window(hosting: Hosting) -> RecoveryWindow | None:
    return hosting.snapshots.window(hosting.instance)


def _quota(hosting: Hosting) -> Quota | None:
    try:
        return hosting.snapshots.quota()
    except SnapshotError:
        return None


def _leads_to(address: DatabaseAddress, instance: Instance, application: str) -> bool | None:
    try:
        return leads_to(address, instance, application)
    except HandrailError:
        return None
