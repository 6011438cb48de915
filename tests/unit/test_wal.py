"""Names of WAL segments: their order, and what is missing between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.postgres import wal

SIZES = st.integers(20, 30).map(lambda power: 1 << power)


@pytest.mark.parametrize(
    ("name", "size", "next_one"),
    [
        ("000000010000000000000001", 16 << 20, "000000010000000000000002"),
        ("0000000200000000000000FF", 16 << 20, "000000020000000100000000"),
        ("000000010000000000000FFF", 1 << 20, "000000010000000100000000"),
        ("000000010000000A00000003", 1 << 30, "000000010000000B00000000"),
    ],
)
def test_the_segment_that_follows(name: str, size: int, next_one: str) -> None:
    assert wal.following(name, size) == next_one


@given(SIZES, st.integers(0, 1 << 45), st.integers(1, 1 << 31))
def test_a_position_is_in_the_segment_that_it_names(size: int, at: int, timeline: int) -> None:
    name = wal.named(at, f"{timeline:08X}", size)
    assert wal.is_segment(name)
    assert wal.start(name, size) <= at < wal.start(name, size) + size


@given(SIZES, st.integers(1, 1 << 14))
def test_the_size_is_known_from_a_name_and_where_it_begins(size: int, number: int) -> None:
    """Unless the segment begins at a multiple of 4 GiB, where sizes do not differ in the name."""
    at = number * size
    name = wal.named(at, "00000001", size)
    assert wal.start(name, wal.segment_bytes(name, at)) == at
    if name[16:] != "00000000":
        assert wal.segment_bytes(name, at) == size


@given(st.sets(st.integers(1, 600), min_size=1))
def test_gaps_are_what_is_missing_first(numbers: set[int]) -> None:
    names = [wal.named(number << 24, "00000001") for number in sorted(numbers)]
    missing = set(range(min(numbers), max(numbers))) - numbers
    first = [number for number in sorted(missing) if number - 1 in numbers]
    assert wal.gaps(names) == tuple(wal.named(number << 24, "00000001") for number in first)


def test_what_is_no_segment() -> None:
    for name in ("00000002.history", "00000001000000000000000D.partial", "0000000100000000000000", ""):
        assert not wal.is_segment(name)
    assert wal.position("A/B000028") == 0xA_0B000028
