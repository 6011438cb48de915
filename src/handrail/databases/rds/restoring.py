"""Settings as parameters of AWS's calls: what a restore takes, and what has to be changed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from handrail.snapshots.instance import Instance, InstanceSettings
from handrail.snapshots.snapshot import PREFIX, Label

#: Below so much storage gp3 has its numbers by itself, and AWS refuses to be told them.
_GP3_OWN_BELOW: Final = 400
_READ: Final[Mapping[str, Callable[[InstanceSettings], object]]] = {
    "DBInstanceClass": lambda s: s.instance_class,
    "DBParameterGroupName": lambda s: s.parameter_group,
    "OptionGroupName": lambda s: s.option_group,
    "VpcSecurityGroupIds": lambda s: list(s.security_groups),
    "DBSubnetGroupName": lambda s: s.subnet_group,
    # An instance in several zones chooses them itself.
    "AvailabilityZone": lambda s: "" if s.is_multi_az else s.availability_zone,
    "Port": lambda s: s.port,
    "AllocatedStorage": lambda s: s.storage_gb,
    "StorageType": lambda s: s.storage_type,
    "Iops": lambda s: s.iops if _takes_iops(s) else None,
    "StorageThroughput": lambda s: s.throughput if _takes_iops(s) else None,
    "MaxAllocatedStorage": lambda s: s.max_storage_gb,
    "EnableCloudwatchLogsExports": lambda s: list(s.log_exports),
    "CACertificateIdentifier": lambda s: s.ca_certificate,
    "PreferredBackupWindow": lambda s: s.backup_window if s.retention_days else "",
}
#: Always said, as AWS's own default is not "as the source".
_SAID: Final[Mapping[str, Callable[[InstanceSettings], object]]] = {
    "MultiAZ": lambda s: s.is_multi_az,
    "PubliclyAccessible": lambda s: s.is_public,
    "EnableIAMDatabaseAuthentication": lambda s: s.has_iam_auth,
    "CopyTagsToSnapshot": lambda s: s.copies_tags,
    "AutoMinorVersionUpgrade": lambda s: s.upgrades_minor_versions,
    "BackupRetentionPeriod": lambda s: s.retention_days,
    # Until all is well, so that a failed restore can be taken away; `changes` sets it last.
    "DeletionProtection": lambda _: False,
}


def _takes_iops(settings: InstanceSettings) -> bool:
    return settings.storage_type != "gp3" or (settings.storage_gb or 0) >= _GP3_OWN_BELOW


def restore_parameters(settings: InstanceSettings, label: Label, accepted: frozenset[str]) -> dict[str, Any]:
    """What a restore is given, of what the installed library accepts; `changes` brings the rest."""
    wanted = {name: read(settings) for name, read in _READ.items()}
    given = {name: value for name, value in wanted.items() if value}
    given |= {name: read(settings) for name, read in _SAID.items()}
    given["Tags"] = tag_list(tags_for(settings, label))
    return {name: value for name, value in given.items() if name in accepted}


#: What a snapshot's restore takes, by every version of AWS's programs that is still in use.
_BY_HAND: Final = frozenset({*_READ, *_SAID, "Tags"}) - {
    "MaxAllocatedStorage",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "CACertificateIdentifier",
    "AllocatedStorage",
}


def calls_by_hand(snapshot: str, settings: InstanceSettings) -> dict[str, object]:
    """The parameters with which AWS's own program restores a snapshot, and then sets the rest."""
    given = restore_parameters(settings, Label(""), _BY_HAND)
    kept = {key: value for key, value in settings.tags.items() if not key.startswith(("aws:", PREFIX))}
    given["Tags"] = tag_list(kept)
    rest: dict[str, Any] = {"ApplyImmediately": True}
    for one in (*_SETTINGS, *((_WINDOW,) if settings.retention_days else ()), _PROTECTION):
        if one.read(settings) != one.unknown:
            rest |= one.parameters(settings)
    return {"restore": {"DBSnapshotIdentifier": snapshot, **given}, "modify": rest}


def tags_for(settings: InstanceSettings, label: Label) -> dict[str, str]:
    """The tags of the source, but for those that AWS or handrail gave it, and those of the label."""
    kept = {key: value for key, value in settings.tags.items() if not key.startswith(("aws:", PREFIX))}
    return kept | label.tags()


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@dataclass(frozen=True, slots=True)
class _Setting:
    """One setting: how people call it, and which parameters change it."""

    words: str
    read: Callable[[InstanceSettings], object]
    parameters: Callable[[InstanceSettings], dict[str, Any]]
    #: Whether it may be left as it is when it was saved as this.
    unknown: object = ""


def _one(words: str, name: str, read: Callable[[InstanceSettings], object], unknown: object = "") -> _Setting:
    def parameters(settings: InstanceSettings) -> dict[str, Any]:
        value = read(settings)
        return {name: list(value) if isinstance(value, tuple) else value}

    return _Setting(words, read, parameters, unknown)


def _monitoring(settings: InstanceSettings) -> dict[str, Any]:
    role = {"MonitoringRoleArn": settings.monitoring_role} if settings.monitoring_interval else {}
    return {"MonitoringInterval": settings.monitoring_interval, **role}


_NEVER: Final = object()
_SETTINGS: Final = (
    _one("parameter group", "DBParameterGroupName", lambda s: s.parameter_group),
    _one("security groups", "VpcSecurityGroupIds", lambda s: s.security_groups, ()),
    _one("highest storage", "MaxAllocatedStorage", lambda s: s.max_storage_gb, None),
    _one("backup retention", "BackupRetentionPeriod", lambda s: s.retention_days, _NEVER),
    _one("maintenance window", "PreferredMaintenanceWindow", lambda s: s.maintenance_window),
    _one("performance insights", "EnablePerformanceInsights", lambda s: s.has_performance_insights, _NEVER),
    _Setting("enhanced monitoring", lambda s: (s.monitoring_interval, s.monitoring_role), _monitoring, _NEVER),
    _one("Multi-AZ", "MultiAZ", lambda s: s.is_multi_az, _NEVER),
    _one("IAM authentication", "EnableIAMDatabaseAuthentication", lambda s: s.has_iam_auth, _NEVER),
    _one("tags on snapshots", "CopyTagsToSnapshot", lambda s: s.copies_tags, _NEVER),
    _one("CA certificate", "CACertificateIdentifier", lambda s: s.ca_certificate),
)
_WINDOW: Final = _one("backup window", "PreferredBackupWindow", lambda s: s.backup_window)
_PROTECTION: Final = _one("deletion protection", "DeletionProtection", lambda s: s.is_deletion_protected, _NEVER)


def changes(instance: Instance, wanted: InstanceSettings) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The next change, in words and as parameters of ModifyDBInstance; ((), {}) when there is none.

    What is pending already is not asked for again. Deletion protection comes when nothing else is left."""
    settings = (*_SETTINGS, _WINDOW) if wanted.retention_days else _SETTINGS
    differing = tuple(_differing(instance, wanted, settings))
    if not differing:
        differing = tuple(_differing(instance, wanted, (_PROTECTION,)))
    given: dict[str, Any] = {}
    for one in differing:
        given |= one.parameters(wanted)
    return tuple(one.words for one in differing), given


def _differing(instance: Instance, wanted: InstanceSettings, settings: tuple[_Setting, ...]) -> Iterator[_Setting]:
    for one in settings:
        value = one.read(wanted)
        is_pending = all(name in instance.pending for name in one.parameters(wanted))
        if value != one.unknown and value != one.read(instance.settings) and not is_pending:
            yield one
