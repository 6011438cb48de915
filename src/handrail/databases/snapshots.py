"""The contract of who hosts a database as an instance and takes snapshots of it (Amazon RDS).

An implementer promises:

* **Values out, nothing changed in.** Every answer is a frozen value of `snapshots/`, whole: all pages were read.
* **Nothing twice.** A call whose answer was lost is told from a second one: `take` and the restores adopt what is there
  already when its label has the same run id, and raise `NameTaken` otherwise.
* **Nothing foreign.** `delete` deletes only snapshots, and `drop_instance` only instances, whose label says that
  handrail manages them (an instance: that it is temporary).
* **No waiting.** Every call returns when the request was accepted; `databases/waiting.py` waits, by `snapshot` and
  `instance`. What is throttled is tried again inside, within a bounded time.
* **Errors** are `SnapshotError`s, which say what was asked, what the host answered, and which right is missing when it
  refused one. No message holds a key, a token or a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from handrail.errors import BackupError
from handrail.snapshots.export import Export, ExportRequest
from handrail.snapshots.instance import Instance, InstanceSettings, Quota, RecoveryWindow
from handrail.snapshots.snapshot import Label, Snapshot


class SnapshotError(BackupError):
    """The host refused, failed, or could not be asked."""

    code = "HR580"


class NoCredentials(SnapshotError):
    """There are none, or they are expired or not valid."""

    code = "HR581"


class RightMissing(SnapshotError):
    """AccessDenied; `action` names the one that was refused ("rds:CreateDBSnapshot")."""

    code = "HR582"

    def __init__(self, message: str, *, why: str = "", hint: str = "", action: str = "") -> None:
        super().__init__(message, why=why, hint=hint)
        self.action = action


class NotThere(SnapshotError):
    """No such snapshot or instance in the region."""

    code = "HR583"


class NameTaken(SnapshotError):
    """A snapshot or instance of that name is there, and is not this run's."""

    code = "HR584"


class QuotaReached(SnapshotError):
    """The region holds as many snapshots or instances as the account may have."""

    code = "HR585"


class WrongState(SnapshotError):
    """The instance or snapshot is in a state in which this cannot be done (stopped, modifying, creating)."""

    code = "HR586"


class TriedTooOften(SnapshotError):
    """Throttled, or not reached, until the retries were used up."""

    code = "HR587"


class OfACluster(SnapshotError):
    """The instance is a member of a cluster (Aurora, Multi-AZ DB cluster), which is backed up as a whole."""

    code = "HR590"


def require_single(instance: Instance) -> Instance:
    """The instance; OfACluster when its snapshots and its retention are a cluster's. Aurora is refused here, and
    nowhere else."""
    if not instance.is_aurora:
        return instance
    cluster = f"of the cluster {instance.cluster}" if instance.cluster else f"of the engine {instance.engine}"
    raise OfACluster(
        f"the instance {instance.id} is {cluster}, which handrail does not handle",
        why="snapshots, retention and restores are the cluster's there, by other calls of AWS",
        hint="remove `rds` from the environment: dumps and base backups need no RDS; or name an instance of RDS for"
        " PostgreSQL",
    )


class Snapshots(Protocol):
    """The instances and snapshots of one account in one region."""

    @property
    def region(self) -> str: ...

    def instance(self, name: str) -> Instance:
        """Raises NotThere."""
        ...

    def instances(self) -> tuple[Instance, ...]: ...

    def snapshot(self, name: str) -> Snapshot:
        """Raises NotThere."""
        ...

    def snapshots(self, instance: str = "") -> tuple[Snapshot, ...]:
        """All of the region, of every kind that this account owns, or of one instance; in no order."""
        ...

    def window(self, instance: str) -> RecoveryWindow | None:
        """Which moments can be restored; None where automated backups are off or have not begun."""
        ...

    def retained(self, resource_id: str) -> tuple[Instance, RecoveryWindow | None]:
        """The instance of a resource id, also one that was deleted and whose automated backups were kept: as far as
        these tell what it is, and the moments that they hold. Raises NotThere."""
        ...

    def quota(self) -> Quota: ...

    def rights(self, actions: tuple[str, ...], resources: tuple[str, ...] = ()) -> Mapping[str, bool | None]:
        """Whether the caller may do each action ("rds:CreateDBSnapshot") on one of these ARNs at least; None where that
        cannot be told."""
        ...

    def take(self, name: str, instance: str, label: Label) -> Snapshot: ...

    def relabel(self, snapshot: Snapshot, label: Label) -> None:
        """Replace what handrail's tags say."""
        ...

    def delete(self, name: str) -> None:
        """Delete a manual snapshot that handrail manages; nothing when it is gone already."""
        ...

    def restore(self, snapshot: str, name: str, settings: InstanceSettings, label: Label) -> Instance:
        """A new instance from a snapshot, with every setting that a restore takes."""
        ...

    def restore_moment(
        self, source: Instance, moment: datetime | None, name: str, settings: InstanceSettings, label: Label
    ) -> Instance:
        """A new instance as the source was at a moment (None: the newest that can be had)."""
        ...

    def settle(self, name: str, settings: InstanceSettings) -> tuple[str, ...]:
        """Ask for the next change that an available instance needs to have these settings, deletion protection last;
        returns in words what it changes. () when it has all: so wait, and call again (`databases/waiting.py`)."""
        ...

    def rename(self, name: str, to: str) -> Instance: ...

    def set_automated(self, name: str, *, retention_days: int, window: str) -> Instance:
        """Change automated backups, at once. The caller has asked about 0 ↔ n, which is an outage."""
        ...

    def drop_instance(self, name: str) -> None:
        """Delete a temporary instance, with no last snapshot; nothing when it is gone already."""
        ...

    def export(self, request: ExportRequest) -> Export: ...

    def exports(self, source_arn: str = "") -> tuple[Export, ...]: ...
