"""Drills as values: which backup is taken, what is too old, and every line of it in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.amounts import span
from handrail.backups.drill import (
    AgeLimits,
    CheckResult,
    Drill,
    DrillCheck,
    choose_for_drill,
    gap_before,
    overdue,
)
from handrail.backups.manifest import ManifestError, read_drill, read_verification, write_drill
from handrail.backups.record import BackupRecord
from handrail.errors import BackupError
from handrail.facts import TableName
from unit.test_manifest import PROOF, RECORD

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PASSED = DrillCheck("restore", CheckResult.PASSED, "equal to the source, 2 rows in 1 table")
MISSING = DrillCheck("models", CheckResult.NOT_CHECKED, "env.py names no models")
FAILED = DrillCheck("query", CheckResult.FAILED, "`SELECT 0` gave 0")
DRILL = Drill("r1", NOW - DAY, "b1", RECORD.database, 75.5, 6.2 * 3600, 86400.0, (PASSED, MISSING))


def made(id_: str, ago: timedelta, *, verified: bool = False, base: BackupRecord = RECORD) -> BackupRecord:
    return replace(base, id=id_, created_at=NOW - ago, verifications=(PROOF,) if verified else ())


PART = replace(RECORD, tables=(TableName("users"),))
ELSEWHERE = replace(RECORD, database="sqlite:///x")


def test_a_drill_is_read_as_it_was_written() -> None:
    for drill in (DRILL, replace(DRILL, gap=None, checks=())):
        assert read_drill(write_drill(drill), name="d") == drill
    with pytest.raises(ManifestError, match="d is not a verification manifest"):
        read_verification(write_drill(DRILL), name="d")


def test_every_line() -> None:
    assert DRILL.lines == (
        "RTO          1 min 15 s, from the start until all below was done",
        "RPO          6 h 12 min, the age of backup b1; the one before it is 1 day older",
        "passed       restore: equal to the source, 2 rows in 1 table",
        "not checked  models: env.py names no models",
    )
    assert replace(DRILL, gap=None, checks=()).lines[1:] == (
        "RPO          6 h 12 min, the age of backup b1; there is none before it",
    )


@pytest.mark.parametrize(
    ("checks", "has_passed"),
    [((PASSED, MISSING), True), ((PASSED, FAILED), False), ((MISSING,), False), ((), False)],
)
def test_what_passes(checks: tuple[DrillCheck, ...], has_passed: bool) -> None:
    assert replace(DRILL, checks=checks).has_passed is has_passed


def test_the_newest_proven_whole_backup_is_taken() -> None:
    part = made("part", HOUR, verified=True, base=PART)
    records = [part, made("new", 2 * HOUR), made("proven", 3 * HOUR, verified=True)]
    assert choose_for_drill(records, "").id == "proven"
    assert choose_for_drill(records[:2], "").id == "new"
    assert choose_for_drill(records, "part").id == "part"
    with pytest.raises(BackupError, match="there is no backup yet"):
        choose_for_drill([part], "")


def test_the_gap_is_to_the_next_older_whole_backup_of_the_same_database() -> None:
    record = made("b", HOUR)
    others = [
        made("newer", timedelta()),
        made("elsewhere", 2 * HOUR, base=ELSEWHERE),
        made("part", 2 * HOUR, base=PART),
        made("before", 5 * HOUR),
        made("long ago", 9 * HOUR),
    ]
    assert gap_before(record, [record, *others]) == 4 * 3600
    assert gap_before(record, [record]) is None


def told(records: list[BackupRecord], drills: list[Drill], limits: AgeLimits) -> list[str]:
    return list(overdue(records, drills, limits, RECORD.database, NOW))


LIMITS = AgeLimits(backup=DAY, drill=30 * DAY)


def test_what_is_too_old_is_told() -> None:
    assert told([], [], AgeLimits()) == []
    assert told([], [], LIMITS) == [
        "there is no backup, and one every 1 day is asked for: handrail backup create",
        "there is no drill that passed, and one every 30 days is asked for: handrail drill",
    ]
    old = replace(DRILL, at=NOW - 31 * DAY)
    assert told([made("b", 25 * HOUR)], [old], LIMITS) == [
        "the last backup is 1 day 1 h old, over 1 day: handrail backup create",
        "the last drill that passed is 31 days old, over 30 days: handrail drill",
    ]
    assert told([made("b", DAY)], [DRILL], LIMITS) == []


def test_the_future_and_other_databases_count_for_nothing() -> None:
    records = [made("ahead", -HOUR), made("other", HOUR, base=ELSEWHERE), made("part", HOUR, base=PART)]
    drills = [replace(DRILL, at=NOW + HOUR), replace(DRILL, database="sqlite:///x")]
    assert told(records, drills, LIMITS) == told([], [], LIMITS)


def test_a_failed_last_drill_is_told_whatever_is_configured() -> None:
    failed = replace(DRILL, id="r2", at=NOW - HOUR, checks=(PASSED, FAILED))
    assert told([], [failed, DRILL], AgeLimits(drill=30 * DAY)) == [
        "the last drill failed, of backup b1: query: `SELECT 0` gave 0"
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (12.34, "12.3 s"),
        (60, "1 min"),
        (3599, "59 min 59 s"),
        (22320, "6 h 12 min"),
        (86400, "1 day"),
        (273600, "3 days 4 h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_an_older_drill_is_never_less_overdue(one: float, other: float) -> None:
    near, far = sorted((one, other))
    ages = [told([], [replace(DRILL, at=NOW - timedelta(seconds=age))], LIMITS)[1:] for age in (near, far)]
    assert len(ages[0]) <= len(ages[1])
