"""A PostgreSQL database in an instance of RDS: what its server does as anywhere, and snapshots as backups beside it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

from handrail.backups.methods import WHOLE, DumpRequest, require_replacement
from handrail.databases.database import Check, DumpReport, Probe
from handrail.databases.hosting import Hosting
from handrail.databases.postgres import base
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.postgres.dump import written
from handrail.databases.rds.place import at_instance, require_same_place
from handrail.databases.rds.probes import probe
from handrail.databases.rds.restoring import calls_by_hand
from handrail.databases.snapshots import SnapshotError, WrongState, require_single
from handrail.databases.waiting import NotReadyYet, drop_temporary, wait_for_instance, wait_for_snapshot
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress, FingerprintRequest
from handrail.snapshots.descriptor import describe, for_a_while, read_descriptor, write_descriptor
from handrail.snapshots.identifiers import instance_name
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Label, Snapshot, read_label
from handrail.snapshots.waiting import OnWait

_TOOL = "Amazon RDS"
_STOPPED = ("stopped", "stopping")


class RdsDatabase(PostgresDatabase):
    """The database at `address`, in the instance that `hosting` names."""

    def __init__(self, address: DatabaseAddress, hosting: Hosting, **words: Any) -> None:
        super().__init__(address, **words)
        self._hosting = hosting
        self._words = words

    def of_run(self, run_id: str) -> RdsDatabase:
        return RdsDatabase(self._address, self._hosting, **self._words | {"run_id": run_id})

    def dump(
        self, out: BinaryIO, request: DumpRequest = WHOLE, *, fingerprint_request: FingerprintRequest | None = None
    ) -> DumpReport:
        if not request.is_hosted:
            return super().dump(out, request, fingerprint_request=fingerprint_request)
        instance = self._ready_instance(request.heard)
        require_same_place(self._address, instance, self._application)
        look = partial(base.look_at, self._address, self._application, self._version_table)
        snapshot, seen = base.watched(look, lambda: self._taken(request))
        descriptor = describe(snapshot, instance)
        with written():
            out.write(write_descriptor(descriptor, calls_by_hand(snapshot.id, instance.settings)))
        return DumpReport(
            request.format or "",
            _TOOL,
            seen.facts.version,
            seen.facts,
            seen.fingerprint,
            seen.revisions,
            seen.changed,
            hosted_size=descriptor.size_bytes,
        )

    def _ready_instance(self, heard: OnWait) -> Instance:
        """The instance once a snapshot can be taken of it. WrongState at once when it was stopped."""
        hosting = self._hosting
        instance = require_single(hosting.snapshots.instance(hosting.instance))
        if instance.status in _STOPPED:
            raise WrongState(
                f"no snapshot of the instance {instance.id} can be taken",
                why=f"it is {instance.status}",
                hint=f"aws rds start-db-instance --db-instance-identifier {instance.id}",
            )
        if instance.is_available:
            return instance
        return wait_for_instance(hosting.snapshots, hosting.instance, hosting.patience(), heard=heard)

    def _taken(self, request: DumpRequest) -> Snapshot:
        """The snapshot once it is available. One that fails is deleted again; one that takes too long is left."""
        hosting, label = self._hosting, request.label or Label(self._run_id)
        taken = hosting.snapshots.take(request.name, hosting.instance, label)
        try:
            return wait_for_snapshot(hosting.snapshots, taken.id, hosting.patience(), heard=request.heard)
        except NotReadyYet:
            raise
        except SnapshotError:
            with suppress(SnapshotError):
                hosting.snapshots.delete(taken.id)
            raise

    @contextmanager
    def scratch(self, run_id: str, request: DumpRequest = WHOLE, *, server: str = "") -> Iterator[PostgresDatabase]:
        if not request.is_hosted:
            with super().scratch(run_id, request, server=server) as database:
                yield database
            return
        instance = TemporaryInstance(self._address, self._hosting, **self._words | {"run_id": run_id})
        try:
            yield instance
        finally:
            instance.end()

    def replace(
        self,
        source: BinaryIO,
        request: DumpRequest = WHOLE,
        *,
        aside: str,
        increments: Iterable[BinaryIO] = (),
        check: Check | None = None,
    ) -> str:
        if request.is_hosted:
            require_replacement(request, aside)
        return super().replace(source, request, aside=aside, increments=increments, check=check)

    def probe(self) -> tuple[Probe, ...]:
        now = datetime.fromtimestamp(time.time(), UTC)
        return (*super().probe(), *probe(self._hosting, self._address, self._application, now))

    def end_leftovers(self, run_id: str) -> tuple[str, ...]:
        """Temporary instances, too. That RDS cannot be asked must not stop a recovery, which does not need it."""
        ended = super().end_leftovers(run_id)
        try:
            dropped = tuple(_dropped(self._hosting, run_id))
        except SnapshotError as error:
            dropped = (f"no temporary instance, as RDS cannot be asked: {error.message}",)
        return (*ended, *dropped)


def _dropped(hosting: Hosting, run_id: str) -> Iterator[str]:
    for one in hosting.snapshots.instances():
        label = read_label(one.settings.tags)
        if label is not None and label.is_temporary and label.run_id == run_id and one.status != "deleting":
            drop_temporary(hosting.snapshots, one.id, hosting.patience())
            yield f"temporary instance {one.id}"


class TemporaryInstance(PostgresDatabase):
    """A scratch database that becomes an instance of its own when it is loaded from a snapshot; dropped by `end`."""

    def __init__(self, origin: DatabaseAddress, hosting: Hosting, **words: Any) -> None:
        super().__init__(origin, **words)
        self._origin = origin
        self._hosting = hosting
        self._name = ""

    def load(self, source: BinaryIO, request: DumpRequest = WHOLE, *, increments: Iterable[BinaryIO] = ()) -> None:
        descriptor = read_descriptor(source.read())
        hosting, label = self._hosting, Label(self._run_id, is_temporary=True)
        if descriptor.region != hosting.snapshots.region:
            raise BackupError(
                f"The snapshot {descriptor.snapshot} is in the region {descriptor.region}.",
                why=f"`rds.region` says {hosting.snapshots.region}.",
                hint=f'Set region = "{descriptor.region}" to restore it there.',
            )
        # Never twice the same in one run: a second copy must not be the first one, already written to.
        name = instance_name(descriptor.instance, f"copy-{secrets.token_hex(2)}", self._run_id)
        settings = for_a_while(descriptor.settings, hosting.rehearse_class)
        self._name = name
        hosting.snapshots.restore(descriptor.snapshot, name, settings, label)
        found = wait_for_instance(hosting.snapshots, name, hosting.patience(), heard=request.heard)
        self._address = at_instance(self._origin, found)

    def end(self) -> None:
        """Drop the instance, if one was asked for."""
        if self._name:
            drop_temporary(self._hosting.snapshots, self._name, self._hosting.patience())
