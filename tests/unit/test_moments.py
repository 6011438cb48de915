"""Moments as they are written, and which of them an archive holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.moments import ArchiveError, ArchiveState, Window, read_moment, require_within, written
from handrail.errors import UsageError

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(hours=2), NOON)
SOUND = ArchiveState("litestream", "0.5.17", "/srv/archive", WINDOW, behind=0.0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-28T12:00:00Z", NOON),
        ("2026-11-28 13:00:00+01:00", NOON),
        (" 2026-11-28T12:00Z ", NOON),
        ("2026-11-28T12:00:00.250Z", NOON + timedelta(milliseconds=250)),
    ],
)
def test_a_moment_is_read_with_its_zone(text: str, moment: datetime) -> None:
    assert (read_moment(text), read_moment(text).tzinfo) == (moment, UTC)


def test_a_naive_time_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(UsageError) as caught:
        read_moment("2026-11-28 12:00:00")
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR563",
        "'2026-11-28 12:00:00' does not say of which time zone it is",
        "a guess could restore another hour than the one that is meant",
        "write 2026-11-28T12:00:00Z for UTC, or add the offset: 2026-11-28T12:00:00+01:00",
    )


@pytest.mark.parametrize("text", ["yesterday", "", "12:00Z", "2026-11-31T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_moment(text)
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR563",
        f"{text!r} is not a time",
        "it is not written as ISO 8601",
        "write it like 2026-11-28T10:00:00Z",
    )


@given(
    st.integers(0, 30_000_000_000_000_000),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_what_is_written_reads_back_to_the_millisecond(microseconds: int, zone: timezone) -> None:
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).astimezone(zone)
    assert abs(read_moment(written(moment)) - moment) < timedelta(milliseconds=1)
    assert written(read_moment(written(moment))) == written(moment)


@pytest.mark.parametrize("moment", [None, WINDOW.oldest, NOON - timedelta(minutes=1), WINDOW.newest])
def test_moments_of_the_window_can_be_restored(moment: datetime | None) -> None:
    require_within(moment, SOUND)


@pytest.mark.parametrize(
    ("moment", "edge"),
    [
        (WINDOW.oldest - timedelta(seconds=1), "the first moment there is: --to-time 2026-11-28T10:00:00Z"),
        (WINDOW.newest + timedelta(seconds=1), "the last moment there is: --to-time 2026-11-28T12:00:00Z"),
    ],
)
def test_a_moment_outside_names_the_window(moment: datetime, edge: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        require_within(moment, SOUND)
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR561",
        f"{written(moment)} cannot be restored",
        "/srv/archive holds 2026-11-28T10:00:00Z to 2026-11-28T12:00:00Z",
        edge,
    )


@pytest.mark.parametrize(
    ("problems", "why"),
    [((), "nothing has arrived there yet"), (("it is on fire", "and wet"), "it is on fire; and wet")],
)
def test_an_empty_archive_restores_nothing(problems: tuple[str, ...], why: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        require_within(None, ArchiveState("litestream", "0.5.17", "/srv/archive", problems=problems))
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR562",
        "nothing can be restored from /srv/archive",
        why,
        "handrail archive status",
    )


@pytest.mark.parametrize(
    ("state", "faults"),
    [
        (SOUND, ()),
        (ArchiveState("t", "1", "/a", WINDOW, behind=300.0), ()),
        (ArchiveState("t", "1", "/a", WINDOW, behind=None), ()),
        (
            ArchiveState("t", "1", "/a", WINDOW, behind=301.0),
            ("the archive is 5 min 1 s behind the database, over 5 min",),
        ),
        (ArchiveState("t", "1", "/a"), ("nothing can be restored from /a yet",)),
        (ArchiveState("t", "1", "/a", problems=("a hole",)), ("a hole",)),
    ],
)
def test_faults_are_what_somebody_has_to_look_at(state: ArchiveState, faults: tuple[str, ...]) -> None:
    assert tuple(state.faults(300.0)) == faults
