"""What a piece of work costs, whatever the machine does besides: beside a yardstick of Python's work in the same moments."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class _Mark:
    number: int
    name: str


def yardstick() -> int:
    """What handrail's pure rooms do: objects made, compared, sorted and looked up."""
    total = 0
    for turn in range(12):
        marks = [_Mark(number * 7919 % 1000, f"m{turn}-{number}") for number in range(1000)]
        found = {mark.name: mark for mark in sorted(marks)}
        total += sum(found[mark.name].number for mark in marks if mark.number % 3)
    return total


def cost(work: Callable[[], object], *, times: int = 3) -> float:
    """How many yardsticks the work takes of the processor: the least of so many turns of both."""
    lengths, seconds = [], []
    for _ in range(times):
        gc.collect()
        lengths.append(_seconds(yardstick))
        seconds.append(_seconds(work))
    return min(seconds) / min(lengths)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
