"""What `--json` prints about the laboratory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LabProcess:
    """A laboratory: its process and its address. `kept` is where its state lies."""

    pid: int
    endpoint: str
    kept: str


@dataclass(frozen=True, slots=True)
class LabInstance:
    """An instance. `port` 0: nothing is behind it. `latest`: the end of what can be restored to a point in time."""

    identifier: str
    region: str
    status: str
    port: int
    version: str
    user: str
    latest: str | None


@dataclass(frozen=True, slots=True)
class LabFault:
    """What calls meet: `kind` is `error`, `drop-before` or `drop-after`. `times` 0 is until it is cleared."""

    kind: str
    action: str
    service: str
    times: int
    skip: int
    code: str
    message: str
    status: int
    met: int


@dataclass(frozen=True, slots=True)
class LabStatus:
    """What is in the laboratory. `servers` are the major versions of PostgreSQL that it has, `snapshots` how many there
    are in each region, `lag` how many seconds the archives may be behind."""

    endpoint: str
    folder: str
    speed: float
    lag: float
    servers: tuple[int, ...]
    instances: tuple[LabInstance, ...]
    snapshots: Mapping[str, int]
    faults: tuple[LabFault, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> LabStatus:
        """What the laboratory's own endpoint tells."""
        instances = tuple(LabInstance(**one) for one in told["instances"])
        faults = tuple(LabFault(**one) for one in told["faults"])
        return cls(**{**told, "servers": tuple(told["servers"]), "instances": instances, "faults": faults})


@dataclass(frozen=True, slots=True)
class LabVariables:
    """What AWS's tools have to find in the environment."""

    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabCall:
    """One call. `status` 0: no answer of ours; `error` the code of the error, or of the fault, "" for none."""

    time: str
    service: str
    action: str
    parameters: Mapping[str, str]
    status: int
    error: str


@dataclass(frozen=True, slots=True)
class LabCalls:
    """The calls, oldest first."""

    calls: tuple[LabCall, ...]


@dataclass(frozen=True, slots=True)
class LabSet:
    """What was set, in words."""

    set: str
