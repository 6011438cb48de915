"""Where the environment's database runs when that is RDS, and what the configuration says of its snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from handrail.databases.snapshots import Snapshots
from handrail.databases.waiting import Patience
from handrail.snapshots.instance import Instance


@dataclass(frozen=True, slots=True)
class Hosting:
    """The account and region that `instance` runs in. `monotonic` counts seconds and `sleep` lets some pass.

    `rehearse_up_to`: how many GB of storage the instance may have to be rehearsed on a temporary one (None: never,
    0: however many), of the class `rehearse_class` ("": its own)."""

    snapshots: Snapshots
    instance: str
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    prefix: str = "before-migration"
    deadline: float = 7200.0
    rehearse_up_to: int | None = None
    rehearse_class: str = ""
    #: For how long a snapshot before a migration is meant to be kept; None: as the policy says then.
    keep: timedelta | None = None

    def patience(self, deadline: float | None = None) -> Patience:
        """As long as the configuration allows, unless told."""
        return Patience(self.monotonic, self.sleep, self.deadline if deadline is None else deadline)

    def may_rehearse(self, instance: Instance) -> bool:
        """Whether a temporary instance may be made to rehearse on."""
        most = self.rehearse_up_to
        return most is not None and (not most or (instance.settings.storage_gb or 0) <= most)
