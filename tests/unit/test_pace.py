"""How fast backups may be written: what holds for every clock and every size."""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.amounts import parse_rate
from handrail.stores.memory import MemoryStore
from handrail.stores.paced import Pace, PacedStore


class Time:
    """A clock that moves when somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@given(
    st.floats(1e3, 1e9),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.floats(0, 5)), min_size=1, max_size=50),
)
def test_never_faster_than_the_rate_and_never_a_wait_too_long(rate: float, pieces: list[tuple[int, float]]) -> None:
    time = Time()
    pace = Pace(rate, time.clock, time.sleep)
    begun, taken = time.now, 0
    for size, idle in pieces:
        time.now += idle
        pace.take(size)
        taken += size
        assert taken <= rate * (0.5 + time.now - begun) * (1 + 1e-9) + 1
    assert sum(time.slept) <= taken / rate * (1 + 1e-9) + 1e-6


def test_a_writer_is_slowed_down_and_nothing_is_lost() -> None:
    time, inner = Time(), MemoryStore()
    store = PacedStore(inner, Pace(1e6, time.clock, time.sleep))
    data = bytes(range(256)) * 20_000
    with store.open_write("a/b") as out:
        assert out.write(data) == len(data)
    assert time.now - 100 == pytest.approx(len(data) / 1e6 - 0.5)
    with store.open_read("a/b") as source:
        assert source.read() == data
    assert (store.place, store.keys("a"), store.size("a/b"), store.free_bytes()) == (
        "memory",
        ("a/b",),
        len(data),
        None,
    )
    assert store.written_at("a/b") == inner.written_at("a/b")
    store.delete("a/b")
    assert inner.keys() == ()


def test_the_stores_of_a_run_share_one_pace() -> None:
    time = Time()
    pace = Pace(1e6, time.clock, time.sleep)
    for number in range(4):
        with PacedStore(MemoryStore(), pace).open_write(f"a/{number}") as out:
            out.write(bytes(1_000_000))
    assert time.now - 100 == pytest.approx(3.5)


def test_a_failing_write_comes_through() -> None:
    class Broken(MemoryStore):
        def open_write(self, key: str) -> Any:
            return nullcontext(io.BufferedReader(io.BytesIO(b"")))

    time = Time()
    with (
        pytest.raises(io.UnsupportedOperation),
        PacedStore(Broken(), Pace(1e6, time.clock, time.sleep)).open_write("a/b") as out,
    ):
        out.write(b"x")


@pytest.mark.parametrize(
    ("text", "rate"),
    [("20MB/s", 20e6), ("1.5 MB/s", 1.5e6), ("500kB/s", 5e5), ("1GB/s", 1e9), ("1MiB/s", 2.0**20), (1000, 1000.0)],
)
def test_rates_are_read(text: object, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "20", "20MB", "20mb/s", "fast", "-1MB/s", True, None])
def test_what_is_no_rate_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match='a rate is written like "500kB/s", "20MB/s" or "1GB/s"'):
        parse_rate(text)
