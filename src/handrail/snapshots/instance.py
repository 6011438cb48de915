"""An instance as it was described, the settings that a restore loses, and the moments that can be restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """What makes an instance what it is beside its data. A restore begins with AWS's defaults, so these are saved
    beside each snapshot and given again.

    None or () means: not known, or not set. Passwords are not among them.
    """

    instance_class: str = ""
    parameter_group: str = ""
    option_group: str = ""
    security_groups: tuple[str, ...] = ()
    subnet_group: str = ""
    availability_zone: str = ""
    port: int | None = None
    storage_gb: int | None = None
    storage_type: str = ""
    iops: int | None = None
    throughput: int | None = None
    max_storage_gb: int | None = None
    is_multi_az: bool = False
    is_public: bool = False
    has_iam_auth: bool = False
    is_deletion_protected: bool = False
    copies_tags: bool = False
    upgrades_minor_versions: bool = True
    ca_certificate: str = ""
    log_exports: tuple[str, ...] = ()
    retention_days: int = 0
    backup_window: str = ""
    maintenance_window: str = ""
    has_performance_insights: bool = False
    monitoring_interval: int = 0
    monitoring_role: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `host` and `port` are "" and None until it has an endpoint."""

    id: str
    arn: str
    region: str
    status: str
    engine: str
    engine_version: str
    settings: InstanceSettings
    #: Never reused and not changed by a rename.
    resource_id: str = ""
    host: str = ""
    port: int | None = None
    user: str = ""
    database: str = ""
    is_encrypted: bool = False
    #: Its snapshots and retention are the cluster's, when it is a member of one (Aurora, Multi-AZ clusters).
    cluster: str = ""
    #: The recovery point's ARN when AWS Backup keeps its automated backups.
    aws_backup: str = ""
    latest_restorable: datetime | None = None
    created_at: datetime | None = None
    #: Changes that were asked for and are not made yet, by AWS's names.
    pending: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_available(self) -> bool:
        return self.status == "available"

    @property
    def is_aurora(self) -> bool:
        return bool(self.cluster) or self.engine.startswith("aurora")


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """The moments that can be restored, both ends included, aware UTC."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """How many manual snapshots there are in the region, and how many there may be."""

    used: int
    limit: int

    @property
    def free(self) -> int:
        return max(0, self.limit - self.used)
