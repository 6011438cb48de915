"""Measures the programs from outside: start-up, an upgrade at head, a guarded upgrade against a plain one."""

from __future__ import annotations

import json
import shutil
import statistics
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.measuring import Figure, Measured, compared, program, run_measured
from bench.sample import DEVELOPMENT, MB, copy_sample, make_database

HANDRAIL, ALEMBIC = program("handrail"), program("alembic")
GUARDED = [HANDRAIL, "upgrade", "--yes"]
PLAIN = [ALEMBIC, "upgrade", "head"]


def measure_start(work: Path, rounds: int) -> Iterator[Figure]:
    """`--help`, and an upgrade that has nothing to do."""
    folder = copy_sample(work / "start")
    run_measured(PLAIN, folder, DEVELOPMENT)
    yield compared(
        "handrail --help : alembic --help",
        lambda: run_measured([HANDRAIL, "--help"], folder, DEVELOPMENT).seconds,
        lambda: run_measured([ALEMBIC, "--help"], folder, DEVELOPMENT).seconds,
        rounds=rounds,
        target=0.75,
    )
    yield compared(
        "upgrade at head : alembic upgrade head",
        lambda: run_measured(GUARDED, folder, DEVELOPMENT).seconds,
        lambda: run_measured(PLAIN, folder, DEVELOPMENT).seconds,
        rounds=rounds,
        target=1.5,
        limit=">= 1: env.py and the models must be imported once",
    )


def measure_guarded(work: Path, size: int, rounds: int) -> Iterator[Figure]:
    """A guarded upgrade (backup, verify, rehearse down and up, apply, prove) against plain Alembic."""
    database = make_database(work, size)
    name = f"guarded upgrade, {database.stat().st_size / MB:.0f} MB"
    runs: list[tuple[Measured, dict[str, float]]] = []

    def guarded() -> float:
        folder = copy_sample(work / "guarded", database)
        measured = run_measured(GUARDED, folder, DEVELOPMENT)
        runs.append((measured, seconds_of_steps(folder)))
        shutil.rmtree(folder)
        return measured.seconds

    def plain() -> float:
        folder = copy_sample(work / "plain", database)
        measured = run_measured(PLAIN, folder, DEVELOPMENT)
        shutil.rmtree(folder)
        return measured.seconds

    limit = "plain copies the table once; down and up on the copy and the live one make it 4 times"
    yield compared(f"{name} : alembic upgrade head", guarded, plain, rounds=rounds, warm=False, limit=limit)
    shutil.rmtree(database.parent)
    peak = max(measured.peak_mib for measured, _ in runs)
    yield Figure(f"{name}: peak memory, largest process", f"{peak:.0f} MiB", peak / 150, 1.0, "aim 150 MiB")
    for step in runs[-1][1]:
        seconds = statistics.median(steps.get(step, 0.0) for _, steps in runs)
        yield Figure(f"{name}: {step}", f"{seconds:.2f} s", details={"seconds": seconds})


def seconds_of_steps(folder: Path) -> dict[str, float]:
    """Seconds of each step of the project's only run, from its journal; its inner time without a step is `between`."""
    (path,) = (folder / ".handrail" / "journal").rglob("*.jsonl")
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    at = [datetime.fromisoformat(event["at"]) for event in events]
    steps: dict[str, float] = defaultdict(float)
    started: dict[str, datetime] = {}
    for event, moment in zip(events, at, strict=True):
        if event["kind"] == "step_started":
            started[event["step"]] = moment
        elif event["kind"] == "step_done":
            steps[event["step"]] += (moment - started[event["step"]]).total_seconds()
    steps["between steps"] = max((at[-1] - at[0]).total_seconds() - sum(steps.values()), 0.0)
    return dict(steps)
