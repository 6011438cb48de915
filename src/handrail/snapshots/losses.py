"""What an instance's settings are, what a restore loses of them, and how two differ; in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from handrail.snapshots.instance import InstanceSettings
from handrail.snapshots.snapshot import PREFIX

_Read = Callable[[InstanceSettings], object]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in words: `value` of the instance; `default` is what a plain restore makes of it, "" where it keeps
    it."""

    name: str
    value: str
    default: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether a restore that is not told would make something else of it."""
        return bool(self.default) and self.default != self.value and not self.value.startswith(("default.", "default:"))


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """A setting that is not the same: as it was saved, and as it is."""

    name: str
    saved: str
    live: str


#: Of each setting: its name, how it is read, and what a restore without it begins with ("": what the snapshot says).
_ALL: Final[tuple[tuple[str, _Read, str], ...]] = (
    ("class", lambda s: s.instance_class, ""),
    ("parameter group", lambda s: s.parameter_group, "AWS's default"),
    ("option group", lambda s: s.option_group, "AWS's default"),
    ("security groups", lambda s: s.security_groups, "the VPC's default"),
    ("subnet group", lambda s: s.subnet_group, "default"),
    ("availability zone", lambda s: s.availability_zone, ""),
    ("port", lambda s: s.port, ""),
    ("storage", lambda s: f"{s.storage_gb} GB" if s.storage_gb else "", ""),
    ("storage type", lambda s: s.storage_type, ""),
    ("IOPS", lambda s: s.iops, ""),
    ("throughput", lambda s: s.throughput, ""),
    ("highest storage", lambda s: f"{s.max_storage_gb} GB" if s.max_storage_gb else "", "none"),
    ("Multi-AZ", lambda s: s.is_multi_az, "no"),
    ("public", lambda s: s.is_public, ""),
    ("IAM authentication", lambda s: s.has_iam_auth, "no"),
    ("deletion protection", lambda s: s.is_deletion_protected, "no"),
    ("tags on snapshots", lambda s: s.copies_tags, "no"),
    ("minor upgrades", lambda s: s.upgrades_minor_versions, ""),
    ("CA certificate", lambda s: s.ca_certificate, ""),
    ("log exports", lambda s: s.log_exports, "none"),
    ("backup retention", lambda s: f"{s.retention_days} days", ""),
    ("backup window", lambda s: s.backup_window, ""),
    ("maintenance window", lambda s: s.maintenance_window, "any"),
    ("performance insights", lambda s: s.has_performance_insights, "no"),
    ("monitoring", lambda s: f"every {s.monitoring_interval} s" if s.monitoring_interval else "", "none"),
    ("tags", lambda s: _tags(s.tags), ""),
)


def described(settings: InstanceSettings) -> tuple[Setting, ...]:
    """Every setting, in words."""
    return tuple(Setting(name, worded(read(settings)), default) for name, read, default in _ALL)


def differences(saved: InstanceSettings, live: InstanceSettings) -> Iterator[SettingDifference]:
    """What is not as it was saved."""
    for name, read, _ in _ALL:
        old, new = worded(read(saved)), worded(read(live))
        if old != new:
            yield SettingDifference(name, old, new)


def worded(value: object) -> str:
    """A value as people read it; "none" for what is not set."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value not in (None, "") else "none"


def _tags(tags: Mapping[str, str]) -> str:
    """Without those that AWS and handrail give: they are no setting."""
    own = {key: value for key, value in tags.items() if not key.startswith(("aws:", PREFIX))}
    return ", ".join(f"{key}={own[key]}" for key in sorted(own))
