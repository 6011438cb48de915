"""What `handrail doctor` says of an instance: judged from values, so that every line is tested without asking AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from handrail.snapshots.instance import Instance, Quota, RecoveryWindow

#: What each command needs of IAM.
ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "doctor": (
        "rds:DescribeDBInstances",
        "rds:DescribeDBInstanceAutomatedBackups",
        "rds:DescribeDBSnapshots",
        "rds:DescribeAccountAttributes",
    ),
    "upgrade, backup create --method snapshot": ("rds:CreateDBSnapshot", "rds:AddTagsToResource"),
    "backup restore --into, rds restore": ("rds:RestoreDBInstanceFromDBSnapshot", "rds:ModifyDBInstance"),
    "rehearsing on an instance, drill": ("rds:RestoreDBInstanceFromDBSnapshot", "rds:DeleteDBInstance"),
    "rds pitr": ("rds:RestoreDBInstanceToPointInTime",),
    "rds switch, rds automated": ("rds:ModifyDBInstance",),
    "backup prune": ("rds:DeleteDBSnapshot",),
}
_FEW_DAYS: Final = 7
_QUOTA_FROM: Final = 0.8


@dataclass(frozen=True, slots=True)
class Check:
    """One line: `ok` is None for a remark that is neither good nor bad."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read of an instance. None: it could not be read. `leads_there`: whether the URL's server is it."""

    instance: Instance
    window: RecoveryWindow | None
    quota: Quota | None
    rights: Mapping[str, bool | None]
    leads_there: bool | None
    url_host: str
    now: datetime


def checks(seen: Seen) -> tuple[Check, ...]:
    """All lines about an instance that is no member of a cluster."""
    return (
        _instance(seen.instance),
        _place(seen),
        *_automated(seen),
        _encryption(seen.instance),
        _protection(seen.instance),
        _quota(seen.quota),
        *_rights(seen.rights),
    )


def _instance(instance: Instance) -> Check:
    what = f"{instance.id} in {instance.region}, {instance.engine} {instance.engine_version}, {instance.status}"
    hint = "" if instance.is_available else f"wait for it: handrail rds wait {instance.id}"
    return Check("RDS instance", instance.is_available, what, hint)


def _place(seen: Seen) -> Check:
    endpoint = f"{seen.instance.host}:{seen.instance.port}"
    if seen.leads_there is False:
        hint = "correct `rds.instance` or the URL: snapshots would be of another database"
        return Check("RDS address", False, f"the URL leads to another server than {endpoint}", hint)
    if seen.leads_there is None:
        detail = f"the URL names {seen.url_host}; whether that leads to {endpoint} cannot be told from here"
        return Check("RDS address", None, detail)
    same = seen.url_host == seen.instance.host
    return Check("RDS address", True, f"the URL leads to {endpoint}{'' if same else f', by the name {seen.url_host}'}")


def _automated(seen: Seen) -> Iterator[Check]:
    instance, days = seen.instance, seen.instance.settings.retention_days
    if instance.aws_backup:
        yield Check("AWS Backup", None, "it keeps the automated backups: retention is changed there")
    if not days:
        hint = "in a quiet hour, as the database is interrupted: handrail rds automated --retention 7 --allow-outage"
        yield Check("RDS backups", False, "automated backups are off: no moment can be restored", hint)
        return
    window = instance.settings.backup_window or "at a time that AWS chose"
    kept = f"kept {days} {'day' if days == 1 else 'days'}, made {window} UTC"
    few = days < _FEW_DAYS
    yield Check("RDS backups", None if few else True, kept, "handrail rds automated --retention 7" if few else "")
    if seen.window is None:
        yield Check("RDS moments", None, "none can be restored yet: the first automated backup is not done")
        return
    lag = max(0, round((seen.now - seen.window.latest).total_seconds() / 60))
    span = f"{seen.window.earliest:%Y-%m-%d %H:%M} to {seen.window.latest:%Y-%m-%d %H:%M} UTC"
    yield Check("RDS moments", True, f"{span}; what was written in the last {lag} min would be lost now (RPO)")


def _encryption(instance: Instance) -> Check:
    if instance.is_encrypted:
        return Check("RDS encryption", True, "storage and snapshots are encrypted")
    return Check("RDS encryption", None, "storage and snapshots are not encrypted")


def _protection(instance: Instance) -> Check:
    if instance.settings.is_deletion_protected:
        return Check("RDS deletion", True, "the instance is protected from being deleted")
    hint = f"aws rds modify-db-instance --db-instance-identifier {instance.id} --deletion-protection"
    return Check("RDS deletion", None, "the instance can be deleted, and its automated backups with it", hint)


def _quota(quota: Quota | None) -> Check:
    if quota is None:
        return Check("RDS snapshots", None, "how many may still be taken is not known")
    detail = f"{quota.used} of {quota.limit} manual snapshots of the region, {quota.free} free"
    is_well = quota.used < _QUOTA_FROM * quota.limit
    return Check("RDS snapshots", is_well, detail, "" if is_well else "handrail backup prune deletes by policy")


def _rights(rights: Mapping[str, bool | None]) -> Iterator[Check]:
    if not rights or all(known is None for known in rights.values()):
        yield Check("RDS rights", None, "IAM does not tell which actions are allowed (iam:SimulatePrincipalPolicy)")
        return
    missing = {command: [one for one in needed if rights.get(one) is False] for command, needed in ACTIONS.items()}
    lacking = {command: actions for command, actions in missing.items() if actions}
    if not lacking:
        yield Check("RDS rights", True, "every action that handrail's commands need is allowed, as far as IAM tells")
    for command, actions in lacking.items():
        yield Check(
            "RDS rights",
            False,
            f"{command}: {', '.join(actions)} is missing",
            "add it to the policy of the user or role",
        )
