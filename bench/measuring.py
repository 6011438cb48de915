"""Times two ways of doing the same thing in turn, so that a busy machine slows both, and keeps medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PEAK = """
import json, os, sys, time
with open(sys.argv[1], "wb") as log:
    started = time.monotonic()
    child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, log.fileno(), 1), (os.POSIX_SPAWN_DUP2, log.fileno(), 2)])
    _, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - started
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / 1024]))
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: our seconds against theirs, or a plain `value`; `limit` is what physics allows."""

    name: str
    value: str
    ratio: float | None = None
    target: float | None = None
    limit: str = ""
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.ratio is None or self.target is None:
            return ""
        return "met" if self.ratio <= self.target else "MISSED"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of its own: a row a tool, a column a figure. `details` holds every single measurement."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()
    details: Mapping[str, object] = field(default_factory=dict)


def compared(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    rounds: int,
    warm: bool = True,
    target: float | None = None,
    limit: str = "",
) -> Figure:
    """Run both in turn `rounds` times, after one unmeasured round when `warm`; each returns its own seconds."""
    if warm:
        ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    left, right = (statistics.median(column) for column in zip(*pairs, strict=True))
    details = {"seconds": pairs, "ours": left, "theirs": right}
    return Figure(name, f"{left:.2f} s : {right:.2f} s", left / right, target, limit, details)


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: float
    peak_mib: float


def run_measured(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a program; seconds, and the peak memory of the largest process in its tree.

    A small process starts it: a child's peak begins with that of the process which started it.
    """
    log = folder / "bench.log"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PEAK, str(log), *command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        check=True,
    )
    status, seconds, peak = json.loads(done.stdout)
    if status:
        raise SystemExit(f"bench: {' '.join(command)} exited {status}:\n{log.read_text(errors='replace')[-2000:]}")
    return Measured(seconds, peak)


def timed(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def program(name: str) -> str:
    """The program of that name beside the Python that runs the benchmarks."""
    return str(Path(sys.executable).parent / name)
