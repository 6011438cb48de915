"""Measures how a backup with its proof grows with the database: seconds per GB and peak memory, on both engines."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.backups_postgres import filled_server
from bench.backups_sqlite import grown
from bench.contenders import Handrail
from bench.measuring import Figure
from bench.rivals import servers
from bench.sample import MB
from bench.watched import ProgramFailed, run_steps

_GB = 1000 * MB
_POINT = tuple[int, float, float]  # bytes, seconds, peak MiB


def measure_growth(work: Path, sizes: Sequence[int], rounds: int) -> Iterator[Figure]:
    """`handrail backup create` with its proof, at each size; then the largest against the smallest, per GB."""
    work.chmod(0o711)
    points: dict[str, list[_POINT]] = {}
    for size in sizes:
        path = grown(work, size)
        ours = Handrail("copy", "copy", work / "growth", f"sqlite:///{path}", _unchecked)
        yield from _measured(ours, "SQLite, copy", path.stat().st_size, work, rounds, points)
        shutil.rmtree(path.parent)
    found = servers()
    for size in sizes if found else ():
        with filled_server(found[-1], work, size) as server:
            for method in ("dump", "base"):
                ours = Handrail(method, method, work / "growth", server.url, _unchecked)
                name = f"PostgreSQL {server.version}, {method}"
                yield from _measured(ours, name, server.size(), work, rounds, points)
    if not found:
        yield Figure("growth on PostgreSQL", "not measured: no server programs at hand")
    for name, those in points.items():
        (small, first, _), (large, last, _) = those[0], those[-1]
        if len(those) > 1:
            yield Figure(
                f"{name}: seconds per GB at {large / MB:,.0f} MB : at {small / MB:,.0f} MB",
                f"{last * _GB / large:.2f} : {first * _GB / small:.2f}", (last / large) / (first / small), 1.1,
                "linear or better is 1 or less; starting the program weighs on the small one",
            )  # fmt: skip


def _unchecked(_: Path) -> str:
    return ""


def _measured(
    ours: Handrail, name: str, size: int, work: Path, rounds: int, points: dict[str, list[_POINT]]
) -> Iterator[Figure]:
    title = f"{name}, {size / MB:,.0f} MB: backup with its proof"
    try:
        done = []
        for _ in range(rounds):
            shutil.rmtree(ours.store, ignore_errors=True)
            done.append(run_steps(ours.proven(), work / "log"))
    except ProgramFailed as problem:
        yield Figure(title, "FAILED", limit=str(problem))
        return
    finally:
        shutil.rmtree(ours.project)
    seconds, peak = statistics.median(one.seconds for one in done), max(one.peak_mib for one in done)
    points.setdefault(name, []).append((size, seconds, peak))
    details = {"seconds": [one.seconds for one in done], "bytes": size}
    yield Figure(title, f"{seconds:.2f} s, {seconds * _GB / size:.2f} s/GB", details=details)
    yield Figure(f"{title}: peak memory of the tree", f"{peak:.0f} MiB", peak / 200, 1.0, "200 MiB at every size")
