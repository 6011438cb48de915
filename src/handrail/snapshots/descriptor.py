"""The artifact of a snapshot's backup: a small document that says which snapshot it is and how its instance was set.

The data stays with AWS; this is all that has to be known to make an instance of it again, by handrail or by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from handrail.errors import BackupError
from handrail.snapshots.instance import Instance, InstanceSettings
from handrail.snapshots.snapshot import Snapshot

_KIND: Final = "rds-snapshot"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A snapshot, and the instance that it was taken of with its settings of then. `size_gb` is what was provisioned,
    `full_size` the bytes written in it, where AWS said so."""

    snapshot: str
    arn: str
    region: str
    instance: str
    resource_id: str
    engine: str
    engine_version: str
    settings: InstanceSettings
    database: str = ""
    user: str = ""
    size_gb: int = 0
    full_size: int | None = None
    taken_at: datetime | None = None
    is_encrypted: bool = False

    @property
    def size_bytes(self) -> int:
        """The most that it can cost, in bytes."""
        return self.full_size or self.size_gb << 30


def describe(snapshot: Snapshot, instance: Instance) -> Descriptor:
    """What is kept of an available snapshot."""
    return Descriptor(
        snapshot=snapshot.id,
        arn=snapshot.arn,
        region=instance.region,
        instance=instance.id,
        resource_id=instance.resource_id,
        engine=instance.engine,
        engine_version=snapshot.engine_version or instance.engine_version,
        settings=instance.settings,
        database=instance.database,
        user=instance.user,
        size_gb=snapshot.size_gb,
        full_size=snapshot.full_size,
        taken_at=snapshot.created_at,
        is_encrypted=snapshot.is_encrypted,
    )


def for_a_while(settings: InstanceSettings, instance_class: str = "") -> InstanceSettings:
    """The settings of a temporary instance: reached in the same way, and as cheap as it can be."""
    return replace(
        settings,
        instance_class=instance_class or settings.instance_class,
        availability_zone="",
        max_storage_gb=None,
        is_multi_az=False,
        is_deletion_protected=False,
        log_exports=(),
        retention_days=0,
        backup_window="",
        maintenance_window="",
        has_performance_insights=False,
        monitoring_interval=0,
        monitoring_role="",
    )


def write_descriptor(descriptor: Descriptor, calls: Mapping[str, object] | None = None) -> bytes:
    """As JSON that people read, too. `calls` are the parameters of AWS's own calls, for who restores it by hand."""
    body = {"handrail": _KIND, "version": _VERSION, _KIND: _adapter().dump_python(descriptor, mode="json")}
    body["aws"] = calls or {}
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def read_descriptor(data: bytes) -> Descriptor:
    """BackupError when it is none, or of a newer handrail."""
    try:
        document = json.loads(data)
        version, body = document["version"], document[_KIND]
        if version == _VERSION:
            found: Descriptor = _adapter().validate_python(body)
            return found
        why = f"its version is {version}, this handrail reads {_VERSION}"
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise BackupError("This does not describe a snapshot.", why=why, hint="Choose another one: `handrail backup list`.")


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Descriptor)
