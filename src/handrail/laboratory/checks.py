"""What RDS refuses before it does anything: identifiers, windows, numbers, in its own words where they are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time
from typing import Any

from handrail.laboratory.refusal import Refusal, invalid_combination, invalid_value

_NAME = re.compile(r"[A-Za-z](?!.*--)[A-Za-z0-9-]*(?<!-)\Z", re.DOTALL)
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)\Z")
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_WEEKLY = re.compile(rf"{_DAY}:([01]\d|2[0-3]):([0-5]\d)-{_DAY}:([01]\d|2[0-3]):([0-5]\d)\Z", re.IGNORECASE)
_CLASS = re.compile(r"db\.[a-z0-9]+(-[a-z]+)?\.(micro|small|medium|large|xlarge|\d+xlarge)\Z")
_RESERVED_USERS = {"rdsadmin", "rds_superuser", "rds_replication", "rds_iam", "postgresql", "public"}


def instance_identifier(given: str, parameter: str = "DBInstanceIdentifier") -> str:
    """The name as RDS stores it. Refusal."""
    if not 1 <= len(given) <= 63 or not _NAME.match(given):
        raise invalid_value(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain"
            " only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive"
            " hyphens."
        )
    return given.lower()


def snapshot_identifier(given: str, parameter: str = "DBSnapshotIdentifier") -> str:
    """The name of a manual snapshot as RDS stores it. Refusal."""
    if given.startswith(("rds:", "awsbackup:")) or not 1 <= len(given) <= 255 or not _NAME.match(given):
        raise invalid_value(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain"
            " only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive"
            " hyphens."
        )
    if given.lower().startswith(("rds-", "awsbackup-")):
        raise invalid_value(f"The parameter {parameter} must not begin with rds- or awsbackup-, which are reserved.")
    return given.lower()


def retention(days: int) -> int:
    """Days for which automated backups are kept. Refusal."""
    if not 0 <= days <= 35:
        raise invalid_value(f"Invalid backup retention period: {days}. Must be between 0 and 35 days.")
    return days


def backup_window(given: str) -> str:
    """hh24:mi-hh24:mi, at least half an hour. Refusal."""
    found = _WINDOW.match(given)
    if not found:
        raise invalid_value(f"Invalid backup window format: {given}. Should be specified as a range hh24:mi-hh24:mi.")
    if _minutes(window_times(given)) < 30:
        raise invalid_value("The backup window must be at least 30 minutes.")
    return given


def window_times(window: str) -> tuple[time, time]:
    """Begin and end of a backup window."""
    begin, end = window.split("-")
    return time.fromisoformat(begin), time.fromisoformat(end)


def _minutes(times: tuple[time, time]) -> int:
    begin, end = (one.hour * 60 + one.minute for one in times)
    return (end - begin) % 1440


def maintenance_window(given: str) -> str:
    """ddd:hh24:mi-ddd:hh24:mi. Refusal."""
    if not _WEEKLY.match(given):
        raise invalid_value(
            f"Invalid maintenance window format: {given}. Should be specified as a range"
            " ddd:hh24:mi-ddd:hh24:mi (24H Clock UTC)."
        )
    return given.lower()


def apart(backup: str, maintenance: str) -> None:
    """Refuse windows that overlap."""
    begin, end = window_times(backup)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    first, second = maintenance.split("-")
    start = days.index(first[:3]) * 1440 + _of_day(first[4:])
    length = (days.index(second[:3]) * 1440 + _of_day(second[4:]) - start) % 10080
    span = _minutes((begin, end))
    offsets = ((day * 1440 + begin.hour * 60 + begin.minute - start) % 10080 for day in range(7))
    if any(offset < length or offset + span > 10080 for offset in offsets):
        raise invalid_value("The backup window and maintenance window must not overlap.")


def _of_day(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def instance_class(given: str) -> str:
    """db.t4g.medium and the like. Refusal."""
    if not _CLASS.match(given):
        raise invalid_value(f"Invalid DB Instance class: {given}")
    return given


def storage(gigabytes: int, kind: str = "gp2") -> int:
    """GiB that can be had. Refusal."""
    if not (100 if kind in ("io1", "io2") else 5 if kind == "standard" else 20) <= gigabytes <= 65536:
        raise invalid_value(f"Invalid storage size for engine name postgres and storage type {kind}: {gigabytes}")
    return gigabytes


def master_user(given: str | None) -> str:
    """The name of the master user. Refusal."""
    if not given:
        raise invalid_value("The parameter MasterUsername must be provided and must not be blank.")
    if given.lower() in _RESERVED_USERS or given.lower().startswith("pg_"):
        raise invalid_value(f"MasterUsername {given} cannot be used as it is a reserved word used by the engine")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", given):
        raise invalid_value(f"The parameter MasterUsername is not a valid user name: {given}")
    return given


def password(given: str | None) -> str:
    """A master password. Refusal, which does not hold it."""
    if not given:
        raise invalid_value("The parameter MasterUserPassword must be provided and must not be blank.")
    if not 8 <= len(given) <= 128:
        raise invalid_value("The parameter MasterUserPassword is not a valid password because it is not 8 to 128 long.")
    if not all(" " < sign < "\x7f" for sign in given) or any(sign in '/@"' for sign in given):
        raise invalid_value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides"
            " '/', '@', '\"', ' ' may be used."
        )
    return given


def database_name(given: str | None) -> str:
    """The first database; "" for none. Refusal."""
    if not given:
        return ""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", given) or given.lower() in (
        "rdsadmin",
        "template0",
        "template1",
    ):
        raise invalid_value(f"DBName {given} must begin with a letter and contain only alphanumeric characters.")
    return given


def engine(given: str | None) -> str:
    """The laboratory has one engine. Refusal."""
    if given != "postgres":
        raise invalid_value(f"Invalid DB engine: {given}. The laboratory has real servers of `postgres` only.")
    return given


def tags(given: list[dict[str, str]] | None) -> None:
    """Refuse tags that AWS refuses."""
    keys = [one.get("Key", "") for one in given or ()]
    if len(keys) > 50:
        raise invalid_value("The number of tags exceeds the limit of 50.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid_value("Tag keys that begin with aws: are reserved for internal use.")
    if len(set(keys)) != len(keys):
        raise invalid_value("Tag keys must be unique.")
    if not all(1 <= len(one.get("Key", "")) <= 128 and len(one.get("Value", "")) <= 256 for one in given or ()):
        raise invalid_value("A tag key has 1 to 128 characters, and a value at most 256.")


def max_records(parameters: dict[str, Any]) -> int:
    """The size of a page. Refusal."""
    wanted = int(parameters.get("MaxRecords", 100))
    if not 20 <= wanted <= 100:
        raise invalid_value(f"Invalid value {wanted} for MaxRecords. Must be between 20 and 100")
    return wanted


def settings(parameters: dict[str, Any]) -> None:
    """Refuse what no instance can have, among the parameters that are there."""
    checks: dict[str, Callable[[Any], object]] = {
        "DBInstanceClass": instance_class,
        "BackupRetentionPeriod": retention,
        "PreferredBackupWindow": backup_window,
        "PreferredMaintenanceWindow": maintenance_window,
        "MasterUserPassword": password,
    }
    for name, check in checks.items():
        if name in parameters:
            check(parameters[name])
    if "AllocatedStorage" in parameters:
        storage(parameters["AllocatedStorage"], parameters.get("StorageType", "gp2"))
    if not 1150 <= parameters.get("Port", 5432) <= 65535:
        raise invalid_value(f"Invalid database port: {parameters['Port']}. Must be between 1150 and 65535.")
    if parameters.get("ManageMasterUserPassword"):
        raise invalid_combination("The laboratory has no Secrets Manager: give MasterUserPassword.")
    tags(parameters.get("Tags"))


def engine_major(asked: str, majors: list[int]) -> int:
    """The major version to run for the one asked for: that one where it is, else the newest. Refusal."""
    wanted = re.match(r"\d+", asked)
    if asked and not (wanted and 9 <= int(wanted.group()) <= 99):
        raise invalid_combination(f"Cannot find version {asked} for postgres")
    if not majors:
        raise Refusal("InsufficientDBInstanceCapacity", "No PostgreSQL server was found on this machine.", 400)
    return int(wanted.group()) if wanted and int(wanted.group()) in majors else majors[0]
