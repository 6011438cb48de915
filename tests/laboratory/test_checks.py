"""What the laboratory refuses, as RDS does, before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.laboratory import checks
from handrail.laboratory.records import Event, Instance, Snapshot, from_plain, to_plain
from handrail.laboratory.refusal import Refusal

pytestmark = pytest.mark.story

IDENTIFIER = (
    "The parameter {} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters,"
    " digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
)


def refusal(check: Callable[..., Any], *words: Any) -> str:
    with pytest.raises(Refusal) as refused:
        check(*words)
    return refused.value.message


@pytest.mark.parametrize("name", ["a", "Prod-1", "a" * 63])
def test_identifiers_are_stored_in_lower_case(name: str) -> None:
    assert checks.instance_identifier(name) == name.lower()
    assert checks.snapshot_identifier(name) == name.lower()


@pytest.mark.parametrize("name", ["", "1a", "-a", "a-", "a--b", "a_b", "a.b", "ä", "a b", "a\n", "rds:a"])
def test_what_is_no_identifier_is_refused(name: str) -> None:
    assert refusal(checks.instance_identifier, name) == IDENTIFIER.format("DBInstanceIdentifier")
    assert refusal(checks.snapshot_identifier, name) == IDENTIFIER.format("DBSnapshotIdentifier")


def test_identifiers_have_a_length_and_snapshots_no_reserved_beginning() -> None:
    assert refusal(checks.instance_identifier, "a" * 64) == IDENTIFIER.format("DBInstanceIdentifier")
    assert checks.snapshot_identifier("a" * 255) == "a" * 255
    assert refusal(checks.snapshot_identifier, "a" * 256) == IDENTIFIER.format("DBSnapshotIdentifier")
    assert refusal(checks.snapshot_identifier, "rds-a") == (
        "The parameter DBSnapshotIdentifier must not begin with rds- or awsbackup-, which are reserved."
    )


@given(st.integers(-100, 200))
def test_retention_is_0_to_35_days(days: int) -> None:
    if 0 <= days <= 35:
        assert checks.retention(days) == days
    else:
        message = f"Invalid backup retention period: {days}. Must be between 0 and 35 days."
        assert refusal(checks.retention, days) == message


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("03:00-03:29", "The backup window must be at least 30 minutes."),
        ("03:00", "Invalid backup window format: 03:00. Should be specified as a range hh24:mi-hh24:mi."),
        ("24:00-25:00", "Invalid backup window format: 24:00-25:00. Should be specified as a range hh24:mi-hh24:mi."),
    ],
)
def test_backup_windows_are_half_an_hour_at_least(window: str, message: str) -> None:
    assert refusal(checks.backup_window, window) == message
    assert checks.backup_window("23:45-00:15") == "23:45-00:15"


@pytest.mark.parametrize(
    ("backup", "maintenance", "are_apart"),
    [
        ("03:00-04:00", "mon:04:00-mon:05:00", True),
        ("03:00-04:00", "mon:03:59-mon:05:00", False),
        ("23:30-00:30", "tue:00:15-tue:00:45", False),
        ("03:00-03:30", "sun:23:00-mon:02:00", True),
        ("01:00-01:30", "sun:23:00-mon:02:00", False),
        ("03:00-03:30", "sat:03:30-sun:03:00", True),
    ],
)
def test_windows_do_not_overlap(backup: str, maintenance: str, are_apart: bool) -> None:
    if are_apart:
        checks.apart(backup, maintenance)
    else:
        assert (
            refusal(checks.apart, backup, maintenance) == "The backup window and maintenance window must not overlap."
        )


@pytest.mark.parametrize(
    "given_password", ["short", "with space in it", "with/slash", 'with"quote', "with@sign", "p" * 129]
)
def test_a_refused_password_is_not_in_the_message(given_password: str) -> None:
    assert given_password not in refusal(checks.password, given_password)


@pytest.mark.parametrize(
    ("asked", "majors", "major"), [("", [18, 15], 18), ("15.4", [18, 15], 15), ("13.4", [18, 15], 18), ("18", [18], 18)]
)
def test_the_server_is_of_the_version_asked_for_or_the_newest(asked: str, majors: list[int], major: int) -> None:
    assert checks.engine_major(asked, majors) == major


def test_versions_that_never_were_are_refused() -> None:
    assert refusal(checks.engine_major, "x", [15]) == "Cannot find version x for postgres"
    assert refusal(checks.engine_major, "1.2", [15]) == "Cannot find version 1.2 for postgres"


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.booleans(), st.integers(), st.text(), st.datetimes()), max_size=4
    ),
)
def test_records_are_read_as_they_were_written(moment: Any, settings: Any) -> None:
    instance = Instance("a", "db-A", "available", moment, 1, 5432, 15, settings, latest=moment)
    assert from_plain(Instance, to_plain(instance)) == instance
    snapshot = Snapshot("s", "a", "db-A", "manual", "creating", 2, taken=moment, settings=settings, hold_at=40)
    assert from_plain(Snapshot, {**to_plain(snapshot), "of_a_newer_one": 1}) == snapshot
    event = Event(3, "a", "db-instance", "It was.", ["creation"], moment)
    assert from_plain(Event, to_plain(event)) == event
