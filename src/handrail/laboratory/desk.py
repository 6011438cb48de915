"""What an action works with: the region, the servers, the clock of its states, and what stands beside RDS."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from handrail.errors import HandrailError
from handrail.laboratory.cloud import Cloud
from handrail.laboratory.jobs import Jobs, Pace
from handrail.laboratory.records import Instance
from handrail.laboratory.refusal import Refusal
from handrail.laboratory.servers import Servers
from handrail.laboratory.world import World


@dataclass(frozen=True)
class Desk:
    """Everything that one region's actions need."""

    world: World
    servers: Servers
    jobs: Jobs
    pace: Pace
    cloud: Cloud
    #: What is to happen to the next snapshots (`hold_at`, `fail_at`, `hides_time`), in order; see `faults`.
    next_snapshots: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, one: Instance, status: str, work: Callable[[], None]) -> None:
        """Put the instance into a state and go on beside: `work` ends the state. What it raises makes it `failed`."""
        with self.world.changing():
            one.status = status
        self.jobs.start(work, lambda error: self.failed(one, error))

    def failed(self, one: Instance, error: Exception) -> None:
        """The instance cannot be used any more; why is among its events."""
        with self.world.changing():
            one.status = "failed"
        self.world.event("db-instance", one.identifier, f"The DB instance failed: {told(error)}", "failure")

    def become(self, one: Instance, status: str) -> None:
        """The end of a state."""
        with self.world.changing():
            one.status = status

    def lasting(self, state: str) -> Callable[[], None]:
        """Called at the end of what a state does: waits until the state has lasted as long as it has to."""
        began = time.monotonic()
        return lambda: self.jobs.until(began, self.pace.of(state))


def told(error: Exception) -> str:
    """An error in one line; without a password, as those of handrail are."""
    if isinstance(error, HandrailError):
        return " ".join(f"{error.message} {error.why}".split())
    return f"{type(error).__name__}: {error}"


def require_state(one: Instance, *states: str) -> None:
    """Refuse an instance that is in another state."""
    if one.status not in states:
        raise Refusal(
            "InvalidDBInstanceState", f"Instance {one.identifier} is not in {' or '.join(states)} state: {one.status}."
        )


def require_server(one: Instance) -> None:
    """Refuse an instance that was seeded: nothing is behind it."""
    if not one.has_data:
        raise Refusal("InvalidDBInstanceState", f"Instance {one.identifier} was seeded: no server is behind it.")
