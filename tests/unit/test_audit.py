"""The audit hook sees a leak of a pure room, and nothing else."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from unit.conftest import ROOT

LEAK = "def leak(path):\n    open(path).close()\n"


def run_as(filename: Path, argument: str) -> None:
    names: dict[str, object] = {}
    exec(compile(LEAK, str(filename), "exec"), names)  # noqa: S102 - the planted leak
    leak = names["leak"]
    assert callable(leak)
    leak(argument)


def test_a_planted_leak_is_caught(leaks: list[str]) -> None:
    run_as(ROOT / "lint" / "planted.py", __file__)
    assert leaks == [f"open({__file__!r}, 'r', 524288) in lint/planted.py:2"]
    leaks.clear()


def test_adapters_and_tests_may_open_files(leaks: list[str]) -> None:
    run_as(ROOT / "stores" / "planted.py", __file__)
    Path(__file__).read_bytes()
    assert leaks == []


class Knot:
    """Garbage as soon as nobody else knows it: it knows itself."""

    def __init__(self) -> None:
        self.own = self


def test_only_the_garbage_of_the_test_itself_is_collected() -> None:
    """Without that a campaign fills the memory; with that of others, files of theirs are closed meanwhile."""
    garbage = weakref.ref(Knot())
    made = [Knot() for _ in range(10_000)]
    assert (garbage(), len(made), gc.get_freeze_count() > 0) == (None, 10_000, True)
