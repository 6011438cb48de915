"""Measure handrail against alembic, cp, zstd and pg_dump: a table on stdout, and files in bench/results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
if TYPE_CHECKING:
    from bench.measuring import Figure, Table

RESULTS = ROOT / "bench" / "results"
PARTS = ("start", "guarded", "sqlite", "postgres", "methods", "lint", "rules", "enums", "backups", "growth")
#: Only when they are named: they fetch other tools, or take long.
ON_DEMAND = ("backups", "growth")
MB = 1_000_000


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help=f"of {', '.join(PARTS)}; all but {' and '.join(ON_DEMAND)} when none is named"
    )
    parser.add_argument("--quick", action="store_true", help="smaller databases, under 3 minutes on an idle machine")
    parser.add_argument("--large", action="store_true", help="the guarded upgrade of 1 GB too, growth to 10 GB")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), help="backups of this one only")
    parser.add_argument("--rounds", type=int, help="measured rounds (default 3; 1 of backups and growth)")
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return chosen


def figures(chosen: argparse.Namespace, work: Path) -> Iterator[Figure | Table]:  # noqa: C901 - one line a part
    from bench.backups import measure_backups
    from bench.dumping import measure_postgres, measure_sqlite
    from bench.enums import measure_enums
    from bench.growing import measure_growth
    from bench.linting import measure_lint
    from bench.methods import measure_methods
    from bench.programs import measure_guarded, measure_start
    from bench.waiting import measure_waiting

    parts, rounds = chosen.parts or set(PARTS) - set(ON_DEMAND), chosen.rounds or 3
    if "start" in parts:
        yield from measure_start(work, rounds)
    if "guarded" in parts:
        yield from measure_guarded(work, (30 if chosen.quick else 100) * MB, rounds)
        if chosen.large:
            yield from measure_guarded(work, 1000 * MB, rounds)
    if "sqlite" in parts:
        yield from measure_sqlite(work, (200 if chosen.quick else 1000) * MB, rounds)
    if "postgres" in parts:
        yield from measure_postgres(work, (100 if chosen.quick else 300) * MB, rounds)
    if "methods" in parts:
        yield from measure_methods(
            work, (100 if chosen.quick else 1000) * MB, (50 if chosen.quick else 600) * MB, rounds
        )
    if "lint" in parts:
        yield from measure_lint(work, rounds)
    if "rules" in parts:
        yield from measure_waiting(300_000 if chosen.quick else 3_000_000)
    if "enums" in parts:
        yield from measure_enums()
    if "backups" in parts:
        yield from measure_backups(work, (50 if chosen.quick else 1000) * MB, chosen.rounds or 1, chosen.engine)
    if "growth" in parts:
        sizes = (10, 50) if chosen.quick else (100, 1000, 10_000) if chosen.large else (100, 1000)
        yield from measure_growth(work, [size * MB for size in sizes], chosen.rounds or 1)


def remarks(chosen: argparse.Namespace) -> list[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("handrail", "alembic", "SQLAlchemy", "psycopg"))
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return [
        f"{os.cpu_count()} cores, shared with other work: read the ratios, not the seconds. Load at the end: {load}.",
        f"{platform.system()}, Python {platform.python_version()}, {libraries}.",
        f"{_rounds(chosen)}, both sides in turn. "
        f"{'Quick sizes.' if chosen.quick else 'Full sizes.'} Files are in the page cache.",
        "Peak memory is that of the largest process in the tree (wait4), not the sum; in backups and growth it is the tree's"
        " sum of proportional shares, read every 20 ms (or the largest process's own peak where that is more).",
    ]


def _rounds(chosen: argparse.Namespace) -> str:
    on_demand = bool(chosen.parts) and set(chosen.parts) <= set(ON_DEMAND)
    rounds = chosen.rounds or (1 if on_demand else 3)
    return "One round" if rounds == 1 else f"Medians of {rounds} rounds"


def line(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    target = "" if figure.target is None else f"<= {figure.target:g}"
    return figure.name, figure.value, ratio, target, figure.verdict, figure.limit


def in_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    whole = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in whole)


def write_results(found: list[Figure], tables: list[Table], notes: list[str], seconds: float, parts: list[str]) -> None:
    """Results of chosen parts go to files of their own, so that those of the whole stay."""
    of_parts = "".join(f"-{part}" for part in parts)
    RESULTS.mkdir(exist_ok=True)
    today = datetime.now(UTC)
    body = {"at": today.isoformat(timespec="seconds"), "remarks": notes, "seconds": seconds}
    body["figures"] = [{**asdict(one), "verdict": one.verdict} for one in found]
    if tables:
        body["tables"] = [asdict(one) for one in tables]
    text = json.dumps(body, ensure_ascii=False, indent=1)
    (RESULTS / f"{today:%Y-%m-%d}{of_parts}.json").write_text(f"{text}\n", encoding="utf-8")
    head = ("what", "measured", "ratio", "target", "", "limit, remark")
    sections = [f"# Measured on {today:%Y-%m-%d %H:%M} UTC, in {seconds:.0f} s", listed(notes)]
    for table in tables:
        sections += [f"## {table.title}", listed(table.remarks), in_markdown(table.columns, table.rows)]
    sections += ["## Goals"] if tables else []
    sections.append(in_markdown(head, [line(one) for one in found]))
    (RESULTS / f"latest{of_parts}.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def listed(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def main() -> None:
    from bench.measuring import Table

    chosen = options()
    started = time.monotonic()
    found: list[Figure] = []
    tables: list[Table] = []
    print(f"{'what':<78} {'measured':>24} {'ratio':>6} {'target':>8}")
    with tempfile.TemporaryDirectory(prefix="handrail-bench-") as work:
        for figure in figures(chosen, Path(work)):
            if isinstance(figure, Table):
                tables.append(figure)
                print("", figure.title, in_markdown(figure.columns, figure.rows), "", sep="\n", flush=True)
                continue
            found.append(figure)
            name, value, ratio, target, verdict, _ = line(figure)
            print(f"{name:<78} {value:>24} {ratio:>6} {target:>8} {verdict}", flush=True)
    notes = remarks(chosen)
    print("", *notes, sep="\n")
    write_results(found, tables, notes, time.monotonic() - started, [*chosen.parts, *filter(None, [chosen.engine])])


if __name__ == "__main__":
    main()
