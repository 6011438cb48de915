"""All that exists in one region, under one lock, written down so that a stopped laboratory can go on."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from handrail.laboratory.clock import now
from handrail.laboratory.records import Event, Export, Instance, Retained, Snapshot, from_plain, to_plain
from handrail.laboratory.refusal import instance_not_found, snapshot_not_found

ACCOUNT = "123456789012"
_EVENTS_KEPT = timedelta(days=14)
_KINDS: dict[str, Any] = {"instances": Instance, "snapshots": Snapshot, "retained": Retained, "exports": Export}


class World:
    """One region. Whoever reads or changes it holds `lock`; `changing` does, and has it written down soon after."""

    def __init__(self, region: str, file: Path) -> None:
        self.region = region
        self.lock = threading.RLock()
        self.instances: dict[str, Instance] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.retained: dict[str, Retained] = {}
        self.exports: dict[str, Export] = {}
        self.events: list[Event] = []
        #: Ports that belong to names: an endpoint follows the identifier.
        self.ports: dict[str, int] = {}
        self._file = file
        self._serial = 0
        self._is_dirty = False
        if file.exists():
            self._read()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock and have what changed written down."""
        with self.lock:
            self._is_dirty = True
            yield

    def next_serial(self) -> int:
        """A number for the order in which things were made."""
        with self.lock:
            self._serial += 1
            return self._serial

    def new_resource(self) -> str:
        """A DbiResourceId that nothing else has."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        return "db-" + "".join(secrets.choice(letters) for _ in range(26))

    def instance(self, identifier: str) -> Instance:
        """The instance of this name. Refusal."""
        found = self.instances.get(identifier.lower())
        if found is None:
            raise instance_not_found(identifier)
        return found

    def snapshot(self, identifier: str) -> Snapshot:
        """The snapshot of this name or ARN. Refusal."""
        name = identifier.split(":snapshot:", 1)[-1] if identifier.startswith("arn:") else identifier
        found = self.snapshots.get(name.lower())
        if found is None:
            raise snapshot_not_found(identifier)
        return found

    def arn(self, kind: str, name: str) -> str:
        """The ARN of what is called so."""
        return f"arn:aws:rds:{self.region}:{ACCOUNT}:{kind}:{name}"

    def event(self, kind: str, source: str, message: str, *categories: str) -> None:
        """Note what happened, for DescribeEvents."""
        with self.changing():
            self.events.append(Event(self.next_serial(), source, kind, message, list(categories), now()))
            while self.events and self.events[0].date < now() - _EVENTS_KEPT:
                del self.events[0]

    def save(self) -> None:
        """Write down what changed since the last time."""
        with self.lock:
            if not self._is_dirty:
                return
            self._is_dirty = False
            text = json.dumps(self._plain(), indent=1)
        half = self._file.with_suffix(".part")
        half.touch(mode=0o600)
        half.write_text(text)
        half.rename(self._file)

    def _plain(self) -> dict[str, Any]:
        kept = {name: [to_plain(one) for one in getattr(self, name).values()] for name in _KINDS}
        return {"serial": self._serial, "ports": self.ports, **kept, "events": [to_plain(one) for one in self.events]}

    def _read(self) -> None:
        values = json.loads(self._file.read_text())
        self._serial, self.ports = values["serial"], values["ports"]
        for name, kind in _KINDS.items():
            records = [from_plain(kind, one) for one in values[name]]
            key = "resource" if kind is Retained else "identifier"
            getattr(self, name).update({getattr(one, key): one for one in records})
        self.events = [from_plain(Event, one) for one in values["events"]]
