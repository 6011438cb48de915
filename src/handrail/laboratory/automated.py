"""Automated backups: made at first and once a day, kept for the retention, and the window that can be restored from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from handrail.laboratory import checks
from handrail.laboratory.clock import cut, now
from handrail.laboratory.desk import Desk
from handrail.laboratory.records import Instance, Retained, Snapshot
from handrail.laboratory.snapshots import new_snapshot, take


def back_up(desk: Desk, one: Instance) -> None:
    """Take an automated snapshot now, and bring the archive up to it. Called by a job while the state is backing-up."""
    snapshot = new_snapshot(desk.world, one, automated_name(one), "automated")
    with desk.world.changing():
        number = 1
        while snapshot.identifier in desk.world.snapshots:
            number += 1
            snapshot.identifier = f"{automated_name(one)}-{number}"
        desk.world.snapshots[snapshot.identifier] = snapshot
    desk.world.event("db-instance", one.identifier, "Backing up DB instance", "backup")
    take(desk, one, snapshot, "backing-up")
    archive(desk, one)
    desk.world.event("db-instance", one.identifier, "Finished DB Instance backup", "backup")


def automated_name(one: Instance) -> str:
    """rds:NAME-2026-11-28-03-12"""
    return f"rds:{one.identifier}-{now():%Y-%m-%d-%H-%M}"


def bases(desk: Desk, resource: str) -> list[Snapshot]:
    """The automated snapshots that recovery can begin with, oldest first."""
    with desk.world.lock:
        found = [one for one in desk.world.snapshots.values() if one.resource == resource and _is_base(one)]
    return sorted(found, key=lambda one: one.ended or now())


def _is_base(one: Snapshot) -> bool:
    return one.kind == "automated" and bool(one.data) and one.status == "available" and one.ended is not None


def earliest(desk: Desk, one: Instance | Retained) -> datetime | None:
    """The first moment that can be restored: the end of the oldest backup, or the retention's begin."""
    found = bases(desk, one.resource)
    if not found or found[0].ended is None:
        return None
    days = int(one.settings.get("BackupRetentionPeriod", 0))
    first = cut(found[0].ended) + timedelta(milliseconds=1)  # RDS tells milliseconds, and the backup ended within one
    return first if isinstance(one, Retained) else max(first, now() - timedelta(days=days))


def archive(desk: Desk, one: Instance) -> None:
    """Have what was committed archived, and move the end of the restore window."""
    if one.retention and one.has_data and desk.servers.is_running(one.resource):
        moment = cut(desk.servers.flush(one.resource))
        with desk.world.changing():
            one.latest = max(moment, one.latest or moment)


def is_due(window: str, moment: datetime, last: datetime | None) -> bool:
    """Whether the day's automated backup has to be taken: its window is open, and none was taken since it opened."""
    begin, end = checks.window_times(window)
    opened = moment.replace(hour=begin.hour, minute=begin.minute, second=0, microsecond=0)
    if opened > moment:
        opened -= timedelta(days=1)
    span = timedelta(minutes=(end.hour * 60 + end.minute - begin.hour * 60 - begin.minute) % 1440)
    return moment < opened + span and (last is None or last < opened)


def wants_backup(desk: Desk, one: Instance, moment: datetime) -> bool:
    """Whether an instance has to be backed up now."""
    if not (one.retention and one.has_data and one.status == "available"):
        return False
    last = max((base.ended for base in bases(desk, one.resource) if base.ended), default=None)
    return is_due(str(one.settings["PreferredBackupWindow"]), moment, last)


def expired(ends: Sequence[datetime], limit: datetime) -> int:
    """How many of the oldest backups go: those before the limit but the last one, with which recovery to it begins."""
    return max(0, sum(end < limit for end in ends) - 1)


def expire(desk: Desk, one: Instance) -> None:
    """Remove automated snapshots past the retention, and the WAL that only they needed."""
    found = bases(desk, one.resource)
    ends = [base.ended for base in found if base.ended]
    gone = found[: expired(ends, now() - timedelta(days=one.retention))]
    for base in gone:
        with desk.world.changing():
            desk.world.snapshots.pop(base.identifier, None)
        desk.servers.forget(base.data)
    if gone and (first := found[len(gone)].taken):
        desk.servers.forget_wal(one.resource, first)
