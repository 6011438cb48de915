"""What a listing of Litestream's files tells: the window, and holes in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.archives.chain import Chain, ChainFile, read_chain
from handrail.backups.moments import Window

START = datetime(2026, 11, 28, 10, tzinfo=UTC)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def file(first: int, last: int, level: int = 0) -> ChainFile:
    """A file whose transactions were read in the seconds of their numbers."""
    return ChainFile(level, first, last, 100, at(last))


def chain(*spans: tuple[int, int]) -> Chain:
    return Chain(tuple(file(*span) for span in spans))


@pytest.mark.parametrize(
    ("found", "window", "holes"),
    [
        (chain(), None, ()),
        (chain((1, 1)), (2, 2), ()),
        (chain((1, 1), (2, 2), (3, 3)), (2, 3), ()),
        (chain((1, 1), (3, 3), (2, 2)), (2, 3), ()),
        # A merged file bridges what is gone, also where it overlaps.
        (chain((1, 1), (2, 4), (5, 5)), (2, 5), ()),
        (chain((1, 3), (2, 4), (5, 5)), (4, 5), ()),
        # A later whole database follows a hole: what is newest can be had, what lies between not.
        (chain((1, 1), (4, 4), (1, 5), (6, 6)), (2, 6), ("the transactions 2-3 are missing",)),
        (chain((1, 1), (1, 5), (6, 6)), (2, 6), ("the transactions 2-5 are missing",)),
        # Nothing after the hole can be had.
        (chain((1, 1), (2, 2), (5, 5), (6, 6)), (2, 2), ("the transactions 3-4 are missing",)),
        (chain((2, 2), (3, 3)), None, ("no whole database lies there, only changes up to transaction 3",)),
        # What the retention leaves of older merged files is no hole.
        (chain((3, 4), (5, 6), (1, 6), (7, 7)), (7, 7), ()),
    ],
)
def test_window_and_holes(found: Chain, window: tuple[int, int] | None, holes: tuple[str, ...]) -> None:
    expected = None if window is None else Window(at(window[0]), at(window[1]))
    assert (found.window, tuple(found.holes())) == (expected, holes)


@given(st.integers(2, 30), st.data())
def test_a_chain_without_one_file_has_a_hole_there(length: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(2, length))
    found = chain(*((n, n) for n in range(1, length + 1) if n != gone))
    told = () if gone == length else (f"the transactions {gone}-{gone} are missing",)
    assert tuple(found.holes()) == told
    assert found.window is not None
    assert found.window.newest == max(at(gone - 1), at(2))
    assert tuple(chain(*((n, n) for n in range(1, length + 1)), (max(gone - 1, 2), gone)).holes()) == ()


@pytest.mark.parametrize(
    ("seconds", "told", "unclear"),
    [
        ((1, 2, 3, 4), (), (1,)),
        ((1, 2, 2, 4), (), (1, 2)),
        # As if the second file had been touched, and was taken for a later one.
        ((1, 9, 2, 4), ("transaction 3 bears an earlier time than transaction 2",), (1, 2)),
        # The third: nothing later is from before the moment, but when it was read cannot be told.
        ((1, 2, 9, 4), ("transaction 4 bears an earlier time than transaction 3",), (1, 2)),
        ((9, 9, 9, 9), (), ()),
    ],
)
def test_times_that_are_not_in_their_order(
    seconds: tuple[int, ...], told: tuple[str, ...], unclear: tuple[int, ...]
) -> None:
    """`unclear`: up to these transactions, the content of second 3 may lack one."""
    found = Chain(tuple(ChainFile(0, n, n, 100, at(second)) for n, second in enumerate(seconds, 1)))
    why = ": the file's time was changed, or a clock went back"
    assert tuple(found.disorder()) == tuple(f"{one}{why}" for one in told)
    assert tuple(n for n in (1, 2, 3, 4) if found.may_lack(at(3), n)) == unclear


def test_a_listing_is_read() -> None:
    listing = [
        {
            "level": 9,
            "min_txid": "0000000000000001",
            "max_txid": "00000000000000ff",
            "size": 7,
            "timestamp": "2026-11-28T10:00:03Z",
        },
        {
            "level": 0,
            "min_txid": "0000000000000100",
            "max_txid": "0000000000000100",
            "size": 5,
            "timestamp": "2026-11-28T10:00:04Z",
        },
    ]
    found = read_chain(json.dumps(listing))
    assert found == Chain((ChainFile(9, 1, 255, 7, at(3)), ChainFile(0, 256, 256, 5, at(4))))
    assert (found.size, found.last, found.moment_of(256), found.moment_of(1)) == (12, 256, at(4), None)


@pytest.mark.parametrize("text", ["", "null", "[]"])
def test_an_empty_listing_is_an_empty_chain(text: str) -> None:
    assert read_chain(text) == Chain(())


@pytest.mark.parametrize(
    "text",
    [
        "Error",
        "{}x",
        '[{"level": 0}]',
        "[1]",
        '{"a": 1}',
        '[{"level": 0, "min_txid": "x", "max_txid": "1", "size": 1, "timestamp": "2026-11-28T10:00:03Z"}]',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra|not a list|invalid"):
        read_chain(text)
