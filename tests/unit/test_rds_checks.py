"""What doctor says of an instance, line by line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from handrail.snapshots.checks import ACTIONS, Check, Seen, checks
from handrail.snapshots.instance import Quota, RecoveryWindow
from support.hosted import BEGUN, an_instance

NAMES = sorted({action for needed in ACTIONS.values() for action in needed})
SEEN = Seen(
    instance=an_instance(),
    window=RecoveryWindow(BEGUN - timedelta(days=7), BEGUN),
    quota=Quota(12, 100),
    rights=dict.fromkeys(NAMES, True),
    leads_there=True,
    url_host=an_instance().host,
    now=BEGUN + timedelta(minutes=4),
)


def lines(seen: Seen, name: str) -> list[Check]:
    return [one for one in checks(seen) if one.name == name]


def test_all_is_well() -> None:
    host = an_instance().host
    assert checks(SEEN) == (
        Check("RDS instance", True, "shop-prod in ap-northeast-2, postgres 18.1, available"),
        Check("RDS address", True, f"the URL leads to {host}:5432"),
        Check("RDS backups", True, "kept 7 days, made 03:00-04:00 UTC"),
        Check(
            "RDS moments",
            True,
            "2026-02-11 06:25 to 2026-02-18 06:25 UTC; what was written in the last 4 min would be lost now (RPO)",
        ),
        Check("RDS encryption", True, "storage and snapshots are encrypted"),
        Check("RDS deletion", True, "the instance is protected from being deleted"),
        Check("RDS snapshots", True, "12 of 100 manual snapshots of the region, 88 free"),
        Check("RDS rights", True, "every action that handrail's commands need is allowed, as far as IAM tells"),
    )


def with_settings(**given: object) -> Seen:
    instance = SEEN.instance
    return replace(SEEN, instance=replace(instance, settings=replace(instance.settings, **given)))  # type: ignore[arg-type]


def test_automated_backups_that_are_off_are_an_error() -> None:
    assert lines(with_settings(retention_days=0), "RDS backups") == [
        Check(
            "RDS backups",
            False,
            "automated backups are off: no moment can be restored",
            "in a quiet hour, as the database is interrupted: handrail rds automated --retention 7 --allow-outage",
        )
    ]
    assert lines(with_settings(retention_days=0), "RDS moments") == []


def test_few_days_are_told() -> None:
    assert lines(with_settings(retention_days=1), "RDS backups") == [
        Check("RDS backups", None, "kept 1 day, made 03:00-04:00 UTC", "handrail rds automated --retention 7")
    ]


def test_no_moment_yet() -> None:
    assert lines(replace(SEEN, window=None), "RDS moments")[0].ok is None


def test_aws_backup_in_charge() -> None:
    seen = replace(SEEN, instance=replace(SEEN.instance, aws_backup="arn:recovery-point"))
    assert len(lines(seen, "AWS Backup")) == 1


def test_another_server() -> None:
    (line,) = lines(replace(SEEN, leads_there=False), "RDS address")
    assert (line.ok, line.detail) == (False, f"the URL leads to another server than {SEEN.instance.host}:5432")
    (line,) = lines(replace(SEEN, leads_there=None, url_host="db.internal"), "RDS address")
    assert (line.ok, line.detail) == (
        None,
        f"the URL names db.internal; whether that leads to {SEEN.instance.host}:5432 cannot be told from here",
    )


def test_few_snapshots_are_left() -> None:
    (line,) = lines(replace(SEEN, quota=Quota(80, 100)), "RDS snapshots")
    assert (line.ok, line.detail) == (False, "80 of 100 manual snapshots of the region, 20 free")


def test_missing_rights_are_told_by_command() -> None:
    rights = {**SEEN.rights, "rds:DeleteDBSnapshot": False}
    assert lines(replace(SEEN, rights=rights), "RDS rights") == [
        Check(
            "RDS rights",
            False,
            "backup prune: rds:DeleteDBSnapshot is missing",
            "add it to the policy of the user or role",
        )
    ]
    unknown: dict[str, bool | None] = dict.fromkeys(NAMES)
    assert lines(replace(SEEN, rights=unknown), "RDS rights")[0].ok is None
