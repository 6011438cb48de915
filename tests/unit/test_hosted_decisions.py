"""What is decided about hosted databases: moments, windows, settings, switches, exports, descriptors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.errors import HandrailError, UsageError
from handrail.snapshots.automated import AutomatedChange, check_window, plan_change
from handrail.snapshots.export import Export, ExportNotWhole, export_id, require_whole
from handrail.snapshots.instance import RecoveryWindow
from handrail.snapshots.losses import SettingDifference, described, differences
from handrail.snapshots.moments import read_moment, require_moment
from handrail.snapshots.snapshot import Label
from handrail.snapshots.switching import Stage, Switch, aside_name, making, plan_switch
from support.hosted import SETTINGS, an_instance

NOW = datetime(2026, 2, 18, 6, 30, tzinfo=UTC)
SEOUL = timezone(timedelta(hours=9))
WINDOW = RecoveryWindow(datetime(2026, 2, 11, 3, 0, tzinfo=UTC), datetime(2026, 2, 18, 6, 25, tzinfo=UTC))


def said(error: HandrailError) -> tuple[str, str, str]:
    return error.message, error.why, error.hint


def test_a_moment_is_read_with_its_zone() -> None:
    assert read_moment("2026-02-18T15:25+09:00", UTC) == datetime(2026, 2, 18, 6, 25, tzinfo=UTC)
    assert read_moment("2026-02-18 06:25:30Z", UTC) == datetime(2026, 2, 18, 6, 25, 30, tzinfo=UTC)
    assert read_moment("newest", UTC) is None


@pytest.mark.parametrize(
    ("text", "local", "message"),
    [
        (
            "2026-02-18T15:25",
            SEOUL,
            (
                "'2026-02-18T15:25' does not say of which time zone it is",
                "it could be 2026-02-18 15:25 UTC, or in the zone of this machine 2026-02-18 06:25 UTC",
                'write the one that is meant: --to "2026-02-18T15:25+00:00" or --to "2026-02-18T15:25+09:00"',
            ),
        ),
        (
            "2026-02-18 15:25",
            UTC,
            (
                "'2026-02-18 15:25' does not say of which time zone it is",
                "it could be 2026-02-18 15:25 UTC, or in Seoul 2026-02-18 06:25 UTC",
                'write the one that is meant: --to "2026-02-18T15:25+00:00" or --to "2026-02-18T15:25+09:00"',
            ),
        ),
        (
            "15:25",
            UTC,
            (
                "'15:25' is not a time",
                "it is not written as ISO 8601",
                'write it like --to "2026-02-18T15:25+09:00", or --to newest',
            ),
        ),
    ],
)
def test_what_is_no_moment_is_refused(text: str, local: Any, message: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError) as raised:
        read_moment(text, local)
    assert said(raised.value) == message


@pytest.mark.parametrize(
    ("moment", "window", "message"),
    [
        (
            datetime(2026, 2, 19, 6, 25, tzinfo=UTC),
            WINDOW,
            (
                "2026-02-19 06:25 UTC is in the future",
                "it is 2026-02-18 06:30 UTC now; is the zone right?",
                "the last moment there is: --to newest (2026-02-18 06:25 UTC)",
            ),
        ),
        (
            datetime(2026, 2, 18, 6, 28, tzinfo=UTC),
            WINDOW,
            (
                "2026-02-18 06:28 UTC cannot be restored",
                "RDS has 2026-02-11 03:00 UTC to 2026-02-18 06:25 UTC",
                "RDS is 5 min behind now: wait until it has come so far, or --to newest",
            ),
        ),
        (
            datetime(2026, 2, 1, tzinfo=UTC),
            WINDOW,
            (
                "2026-02-01 00:00 UTC cannot be restored",
                "RDS has 2026-02-11 03:00 UTC to 2026-02-18 06:25 UTC",
                'the first moment there is: --to "2026-02-11T03:00:00+00:00"',
            ),
        ),
        (
            None,
            None,
            (
                "no moment of shop-prod can be restored",
                "its automated backups are off, or the first one is not made yet",
                "handrail rds automated shows them; a snapshot can be restored: handrail rds list",
            ),
        ),
    ],
)
def test_a_moment_that_rds_has_not_is_refused(
    moment: datetime | None, window: RecoveryWindow | None, message: tuple[str, str, str]
) -> None:
    with pytest.raises(UsageError) as raised:
        require_moment(moment, window, name="shop-prod", now=NOW)
    assert said(raised.value) == message


@pytest.mark.parametrize("moment", [None, WINDOW.earliest, WINDOW.latest])
def test_both_ends_of_the_window_can_be_had(moment: datetime | None) -> None:
    assert require_moment(moment, WINDOW, name="shop-prod", now=NOW) == WINDOW


def test_a_change_of_automated_backups_is_planned() -> None:
    plan = plan_change(an_instance(), retention_days=14, window="02:00-02:30", allow_outage=False)
    lines = ("retention 7 days -> 14 days", "window 03:00-04:00 -> 02:00-02:30 UTC")
    assert plan == AutomatedChange(14, "02:00-02:30", lines)
    same = plan_change(an_instance(), retention_days=7, window=None, allow_outage=False)
    assert same == AutomatedChange(7, "03:00-04:00")
    off = plan_change(an_instance(), retention_days=0, window=None, allow_outage=True)
    assert off == AutomatedChange(0, "03:00-04:00", ("retention 7 days -> 0 days (off)",), is_outage=True)


@pytest.mark.parametrize(
    ("changed", "words", "message"),
    [
        (
            {},
            {"retention_days": 0, "window": None},
            (
                "shop-prod: retention 7 days -> 0 days (off) takes the instance away for a while",
                "RDS restarts an instance when its automated backups are turned on or off; the automated backups that"
                " there are would be deleted",
                "in a quiet hour: the same with --allow-outage",
            ),
        ),
        (
            {"settings": replace(SETTINGS, retention_days=0)},
            {"retention_days": 1, "window": None},
            (
                "shop-prod: retention 0 days (off) -> 1 day takes the instance away for a while",
                "RDS restarts an instance when its automated backups are turned on or off",
                "in a quiet hour: the same with --allow-outage",
            ),
        ),
        (
            {},
            {"retention_days": 36, "window": None},
            (
                "automated backups cannot be kept for 36 days",
                "RDS takes 0 (off) to 35 days",
                "--retention 7",
            ),
        ),
        (
            {"aws_backup": "arn:aws:backup:1"},
            {"retention_days": 14, "window": None},
            (
                "the automated backups of shop-prod are not changed",
                "AWS Backup is in charge of them (arn:aws:backup:1); changed here, its plan would be broken",
                "change the rule of its backup plan: aws backup list-backup-plans",
            ),
        ),
    ],
)
def test_what_must_not_be_changed_is_refused(
    changed: dict[str, Any], words: dict[str, Any], message: tuple[str, str, str]
) -> None:
    with pytest.raises(UsageError) as raised:
        plan_change(replace(an_instance(), **changed), **words, allow_outage=False)
    assert said(raised.value) == message


@pytest.mark.parametrize(
    ("window", "maintenance", "why"),
    [
        ("3-4", "", "it is daily and in UTC"),
        ("03:00-03:20", "", "it has 20 minutes, RDS wants 30 at least"),
        ("04:45-05:15", "sun:05:00-sun:06:00", "RDS takes only windows that are apart"),
        ("23:45-00:15", "tue:00:00-tue:00:30", "RDS takes only windows that are apart"),
        ("00:10-00:40", "sun:23:45-mon:00:15", "RDS takes only windows that are apart"),
    ],
)
def test_windows_that_rds_would_not_take_are_refused(window: str, maintenance: str, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_window(window, maintenance)
    assert raised.value.why == why


@pytest.mark.parametrize("window", ["03:00-03:30", "04:30-05:00", "06:00-06:30", "23:30-00:30"])
def test_windows_that_touch_are_apart(window: str) -> None:
    assert check_window(window, "Sun:05:00-Sun:06:00") == window


@given(st.integers(0, 1439), st.integers(30, 1439), st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1439))
def test_windows_overlap_when_they_share_a_minute(begin: int, long: int, day: int, start: int, span: int) -> None:
    def clock(minutes: int) -> str:
        return f"{minutes % 1440 // 60:02}:{minutes % 60:02}"

    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    end = start + span
    maintenance = f"{days[day]}:{clock(start)}-{days[(day + end // 1440) % 7]}:{clock(end)}"
    daily = {(begin + minute) % 1440 for minute in range(long)}
    weekly = {(start + minute) % 1440 for minute in range(span)}
    try:
        check_window(f"{clock(begin)}-{clock(begin + long)}", maintenance)
    except UsageError:
        assert daily & weekly
    else:
        assert not daily & weekly


def test_what_a_plain_restore_loses_is_told() -> None:
    assert [(one.name, one.value, one.default) for one in described(SETTINGS) if one.is_lost] == [
        ("parameter group", "shop-pg18", "AWS's default"),
        ("security groups", "sg-0a1b2c3d", "the VPC's default"),
        ("subnet group", "private", "default"),
        ("highest storage", "500 GB", "none"),
        ("Multi-AZ", "yes", "no"),
        ("IAM authentication", "yes", "no"),
        ("deletion protection", "yes", "no"),
        ("tags on snapshots", "yes", "no"),
        ("maintenance window", "sun:05:00-sun:06:00", "any"),
    ]


def test_settings_that_are_not_as_saved_are_told() -> None:
    live = replace(SETTINGS, is_multi_az=False, max_storage_gb=None, tags={"team": "shop", "handrail:run": "r1"})
    assert list(differences(SETTINGS, live)) == [
        SettingDifference("highest storage", "500 GB", "none"),
        SettingDifference("Multi-AZ", "yes", "no"),
    ]


LIVE, NEW = an_instance(), an_instance("shop-pitr")
ASIDE = "shop-prod-old-20260218-063000"


def test_a_switch_is_two_renames_and_says_how_to_go_back() -> None:
    plan = plan_switch([LIVE, NEW], "shop-prod", "Shop-Pitr", NOW)
    assert plan == Switch("shop-prod", "shop-pitr", ASIDE, Stage.NOT_BEGUN)
    rename = (
        "aws rds modify-db-instance --db-instance-identifier {} --new-db-instance-identifier {} --apply-immediately"
    )
    assert plan.commands == (rename.format("shop-prod", ASIDE), rename.format("shop-pitr", "shop-prod"))
    assert plan.back == (rename.format("shop-prod", "shop-pitr"), rename.format(ASIDE, "shop-prod"))


def test_a_switch_that_was_cut_is_seen_by_the_names() -> None:
    older = an_instance("shop-prod-old-20250101-000000")
    half = plan_switch([older, an_instance(ASIDE), NEW], "shop-prod", "shop-pitr", NOW)
    assert (half.stage, half.aside, len(half.commands)) == (Stage.HALF, ASIDE, 1)
    tags = Label(run_id=making("pitr newest r1", "shop-pitr")).tags()
    live = replace(LIVE, settings=replace(SETTINGS, tags=tags))
    done = plan_switch([older, an_instance(ASIDE), live], "shop-prod", "shop-pitr", NOW)
    assert (done.stage, done.aside, done.commands) == (Stage.DONE, ASIDE, ())


@pytest.mark.parametrize(
    ("there", "new", "message"),
    [
        ([LIVE], "shop-prod", ("shop-prod is the live instance", "", "name the restored one: handrail rds list")),
        (
            [LIVE, an_instance(ASIDE)],
            "shop-pitt",
            (
                "there is no instance shop-pitt",
                "",
                "restored ones are in handrail rds list; one is made by handrail rds pitr or handrail rds restore",
            ),
        ),
        (
            [NEW],
            "shop-pitr",
            (
                "there is no instance shop-prod",
                "and none that a switch has set aside, so nothing tells that the name is to be taken",
                "`rds.instance` of the environment names it; handrail rds list",
            ),
        ),
        (
            [LIVE, an_instance("shop-pitr", "modifying")],
            "shop-pitr",
            (
                "the instance shop-pitr is modifying",
                "only instances that are available can be renamed",
                "handrail rds wait shop-pitr",
            ),
        ),
        (
            [LIVE, replace(NEW, engine="mysql")],
            "shop-pitr",
            (
                "shop-pitr cannot take the place of shop-prod",
                "one is mysql, the other postgres",
                "name the instance that was restored: handrail rds list",
            ),
        ),
    ],
)
def test_instances_that_cannot_be_switched_are_refused(there: Any, new: str, message: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError) as raised:
        plan_switch(there, "shop-prod", new, NOW)
    assert said(raised.value) == message


@given(st.from_regex(r"[a-z][a-z0-9]{0,20}(-[a-z0-9]{1,20}){0,2}", fullmatch=True))
def test_a_name_set_aside_is_one_that_aws_takes_and_is_found_again(live: str) -> None:
    aside = aside_name(live, NOW)
    assert len(aside) <= 63 and "--" not in aside
    plan = plan_switch([an_instance(aside), NEW], live, "shop-pitr", NOW)
    assert (plan.stage, plan.aside) == (Stage.HALF, aside)


def test_an_export_that_left_tables_out_is_not_whole() -> None:
    export = Export("e1", "arn", "COMPLETE", warning="The following tables were skipped: shop.public.odd")
    with pytest.raises(ExportNotWhole) as raised:
        require_whole(export)
    assert said(raised.value) == (
        "the export e1 is complete, and not whole",
        "The following tables were skipped: shop.public.odd",
        "export the tables that are missing by themselves (--only, to another prefix), or keep them by handrail backup"
        " archive",
    )
    require_whole(replace(export, warning=""))
    with pytest.raises(ExportNotWhole) as raised:
        require_whole(replace(export, status="FAILED", warning="", failure="no space"))
    assert said(raised.value)[:2] == ("the export e1 is failed", "no space")


@given(st.from_regex(r"[a-z][a-z0-9]{0,80}(-[a-z0-9]{1,80}){0,2}", fullmatch=True))
def test_an_export_has_one_name_per_place(snapshot: str) -> None:
    name = export_id(snapshot, "bucket", "prefix")
    assert name == export_id(snapshot, "bucket", "prefix") != export_id(snapshot, "bucket", "other")
    assert len(name) <= 60 and "--" not in name and not name.endswith("-")
