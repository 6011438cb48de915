"""Round trip of lint's repairs over the histories of real projects, run on real databases (network needed)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from handrail.facts import ColumnFacts
from support.histories import BOTH, PROJECTS, Project
from support.postgres import PostgresServer
from support.repaired_history import project_of, repair_history
from support.round_trip import Place, PostgresPlace, Record, SqlitePlace, compare, record, restless

pytestmark = pytest.mark.long


def on(engine: str) -> list[object]:
    return [pytest.param(one, id=one.name) for one in PROJECTS if engine in one.engines]


@pytest.mark.parametrize("project", on("sqlite"))
def test_repaired_histories_leave_the_same_on_sqlite(project: Project, tmp_path: Path) -> None:
    round_trip(project, tmp_path, SqlitePlace(tmp_path / "app.db"), "sqlite")


@pytest.mark.parametrize("project", on("postgresql"))
def test_repaired_histories_leave_the_same_on_postgresql(
    project: Project, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    address = postgres_server.clone()
    try:
        round_trip(project, tmp_path, PostgresPlace(postgres_server, address), "postgresql")
    finally:
        postgres_server.drop(address.database)


def round_trip(project: Project, work: Path, place: Place, engine: str) -> None:
    """Repaired as in a project for this engine; on SQLite, which is quick, also as in one for both."""
    scripts = project.obtain()
    kinds = {(engine,), *([BOTH] if engine == "sqlite" and len(project.engines) > 1 else [])}
    repaired = {
        "+".join(some): repair_history(scripts, work / "".join(some), some, project.off) for some in sorted(kinds)
    }
    watched = {revision for one in repaired.values() for revision in (*one.rules, *one.new)}
    untouched = record(project, project_of(scripts, work / "untouched", BOTH), place, watched)
    told, faults, others = [untouched_line(untouched)], list[str](), set[str]()
    for name, one in repaired.items():
        one.write_values(columns(untouched))
        outcome = compare(project, one.versions, place, untouched, one)
        told.append(
            f"repaired for {name}: {one.changed} scripts changed, {len(one.new)} new, {_counts(one.by_rule)}; "
            f"schemas equal: {outcome.equal} up, {outcome.equal_down} of {len(watched)} down; "
            f"{_counts(outcome.classes) or 'no difference'}; {len(outcome.faults)} faults"
        )
        faults += outcome.faults
        others |= outcome.other_values
    if others:
        known = restless(project, work / "untouched" / "versions", place, untouched)
        faults += [f"{table}: other values" for table in sorted(others - known)]
        told.append(f"other values each time: {', '.join(sorted(others & known))}")
    print(f"\n{project.name} {project.version} on {engine}:", *told, *faults, sep="\n  ")
    assert faults == []


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in sorted(found.items()))


def untouched_line(found: Record) -> str:
    cleared = [f"{step.file} ({step.failed[:120]!r})" for step in found.steps if step.is_cleared]
    rows = found.rows.rows if found.rows else 0
    return (
        f"untouched: {len(found.steps)} of {found.scripts} scripts run, {rows} rows at the end, {len(cleared)} only on "
        f"emptied tables{f' {cleared}' if cleared else ''}, {sum(isinstance(schema, tuple) for _, schema in found.way_back)} "
        f"taken back until one cannot be; "
        f"in one call: {found.at_once[:150] if isinstance(found.at_once, str) else 'yes'}"
        + (f"; stopped: {found.stopped[:300]}" if found.stopped else "")
    )


def columns(found: Record) -> dict[str, ColumnFacts]:
    """Every column that there ever was, by "table.column"."""
    return {
        f"{table.name}.{column.name}": column
        for step in found.steps
        for table in step.after[0].values()
        for column in table.columns
    }
