"""The whole laboratory: its regions, its servers, what has to be done from time to time, its end and its going on."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from handrail.databases.postgres.cluster import unprivileged_account
from handrail.errors import HandrailError, UsageError
from handrail.laboratory.automated import archive, back_up, expire, wants_backup
from handrail.laboratory.clock import now
from handrail.laboratory.cloud import Cloud
from handrail.laboratory.desk import Desk
from handrail.laboratory.faults import Calls, Faults
from handrail.laboratory.jobs import Jobs, Pace
from handrail.laboratory.ports import is_free, port_for
from handrail.laboratory.records import Instance
from handrail.laboratory.servers import Servers
from handrail.laboratory.world import World

#: A socket's whole path has at most 107 bytes.
_LONGEST = 80


@dataclass(frozen=True)
class Settings:
    """How a laboratory is started. `port` 0 is any that is free."""

    folder: Path
    port: int = 0
    pace: Pace = field(default_factory=Pace)


class Laboratory:
    """Regions are made when they are first asked for; those that were written down go on at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults()
        self.calls = Calls()
        self.endpoint = ""
        self.jobs = Jobs()
        self._sockets = _prepare(settings.folder)
        self.servers = Servers(settings.folder, self._sockets, self.jobs)
        self._desks: dict[str, Desk] = {}
        self._lock = threading.RLock()
        self._texts: dict[str, str] = {}
        self._looked: dict[str, float] = {}

    def open(self, endpoint: str) -> None:
        """Begin, now that the address is known."""
        self.endpoint = endpoint
        for file in self.settings.folder.glob("region-*.json"):
            resume(self.desk(file.stem.removeprefix("region-")))
        self._keep_up()

    def desk(self, region: str) -> Desk:
        """What the actions in a region work with."""
        with self._lock:
            if region not in self._desks:
                world = World(region, self.settings.folder / f"region-{region}.json")
                cloud = Cloud(region)
                cloud.endpoint = self.endpoint
                self._desks[region] = Desk(world, self.servers, self.jobs, self.settings.pace, cloud)
            return self._desks[region]

    def desks(self) -> list[Desk]:
        """All regions that were asked for."""
        with self._lock:
            return list(self._desks.values())

    def close(self) -> None:
        """End jobs and servers, and write everything down."""
        self.jobs.stop()
        self.servers.stop_all()
        for desk in self.desks():
            desk.world.save()
        if self._sockets.parent != self.settings.folder:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _keep_up(self) -> None:
        def failed(_error: Exception) -> None:
            logging.getLogger(__name__).exception("looking after the instances failed; it goes on")
            self._keep_up()

        self.jobs.start(self._upkeep, failed)

    def _upkeep(self) -> None:
        while True:
            for desk in self.desks():
                with desk.world.lock:
                    instances = list(desk.world.instances.values())
                for one in instances:
                    # A server that is being stopped or renamed cannot be asked; the next look finds it again.
                    with suppress(HandrailError, OSError):
                        self._look_after(desk, one)
                desk.world.save()
            self.jobs.wait(self.settings.pace.tick)

    def _look_after(self, desk: Desk, one: Instance) -> None:
        if one.status == "available" and self.servers.has_died(one.resource):
            desk.world.event("db-instance", one.identifier, "Recovery of the DB instance has started", "recovery")
            desk.begin(one, "rebooting", _starting(desk, one))
        if not (one.retention and one.has_data and one.status in ("available", "backing-up", "storage-full")):
            return
        moment = now()
        # The first backup has brought the archive up to it.
        seen = self._looked.setdefault(one.resource, moment.timestamp() if one.latest else 0.0)
        if moment.timestamp() - seen >= self.settings.pace.lag:
            self._looked[one.resource] = moment.timestamp()
            self._advance(desk, one)
        if wants_backup(desk, one, moment):
            desk.begin(one, "backing-up", lambda: _daily(desk, one))
        expire(desk, one)

    def _advance(self, desk: Desk, one: Instance) -> None:
        """Move the end of the restore window; where nothing was committed, without writing anything."""
        moment, text = now(), self.servers.snapshot_text(one.resource)
        if one.latest is not None and self._texts.get(one.resource) == text:
            with desk.world.changing():
                one.latest = moment
            return
        archive(desk, one)
        self._texts[one.resource] = self.servers.snapshot_text(one.resource)


def _daily(desk: Desk, one: Instance) -> None:
    back_up(desk, one)
    desk.become(one, "available")


def resume(desk: Desk) -> None:
    """Go on after a stop or a kill: servers start again; what was half made failed."""
    with desk.world.changing():
        for snapshot in desk.world.snapshots.values():
            if snapshot.status in ("creating", "copying", "pending"):
                snapshot.status = "failed"
        for export in desk.world.exports.values():
            if export.status in ("STARTING", "IN_PROGRESS", "CANCELING"):
                export.status, export.failure, export.ended = "FAILED", "The laboratory was ended meanwhile.", now()
        instances = list(desk.world.instances.values())
    for one in instances:
        _resume_instance(desk, one)


def _resume_instance(desk: Desk, one: Instance) -> None:
    if not one.has_data or one.status in ("stopped", "failed"):
        return
    if one.status == "creating":
        desk.failed(one, UsageError("the laboratory was ended while it was created"))
        return
    if one.status == "deleting":
        desk.servers.remove(one.resource)
        with desk.world.changing():
            desk.world.instances.pop(one.identifier, None)
        return
    if not is_free(one.port):
        with desk.world.changing():
            desk.world.ports.pop(one.identifier, None)
            taken, one.port = one.port, port_for(desk.world, one.identifier)
        text = f"Port {taken} was taken meanwhile: the endpoint is at {one.port} now."
        desk.world.event("db-instance", one.identifier, text, "notification")
    desk.begin(one, "starting", _starting(desk, one))


def _starting(desk: Desk, one: Instance) -> Callable[[], None]:
    def work() -> None:
        desk.servers.stop(one.resource)
        desk.servers.start(one.resource, one.port, one.major)
        desk.become(one, "available")

    return work


def _prepare(folder: Path) -> Path:
    """Make the laboratory's folder, private to its user, and one for sockets in it, or elsewhere where its path is too
    long. UsageError."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise UsageError(f"{folder} belongs to another user", hint="name another one with --folder", code="HR251")
    account = unprivileged_account()
    folder.chmod(0o711 if account else 0o700)
    if account is not None:
        _require_reachable(folder, account.pw_uid, account.pw_name)
    sockets = folder / "run"
    if len(os.fsencode(str(sockets))) > _LONGEST:
        sockets = Path(tempfile.mkdtemp(prefix="hr-lab-", dir="/tmp"))
    shutil.rmtree(sockets, ignore_errors=True)
    sockets.mkdir(mode=0o700)
    if account is not None:
        os.chown(sockets, account.pw_uid, account.pw_gid)
    return sockets


def _require_reachable(folder: Path, uid: int, name: str) -> None:
    for parent in folder.resolve().parents:
        status = parent.stat()
        if not status.st_mode & (0o100 if status.st_uid == uid else 0o001):
            raise UsageError(
                f"no server can be started in {folder}",
                why=f"root's servers run as {name}, and {parent} is closed to others",
                hint="name a folder that this account can reach with --folder",
                code="HR251",
            )
