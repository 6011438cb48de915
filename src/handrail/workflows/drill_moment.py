"""A drill of the continuous archive: a moment restored into a throwaway database, checked, and measured."""

from __future__ import annotations

from datetime import datetime

from handrail.amounts import count
from handrail.backups.drill import CheckResult, Drill, DrillCheck
from handrail.backups.moments import ArchiveState, require_within
from handrail.errors import HandrailError
from handrail.migrator.migrator import ProjectFacts
from handrail.workflows.drill import DrillChecks, Restored, check_copy, record_drill
from handrail.workflows.moment import MomentKit, name_of
from handrail.workflows.run import Run, end_dead_runs


def drill_moment(
    run: Run, kit: MomentKit, moment: datetime | None, project: ProjectFacts, checks: DrillChecks
) -> Drill:
    """Do it and store what came of it, also when it fails. ArchiveError for a moment that is not there to restore."""
    clock = run.equipment.clock
    end_dead_runs(run)
    started, found = clock(), list[DrillCheck]()
    state = kit.archive.state()
    require_within(moment, state)
    try:
        with run.step("drill", f"restoring {name_of(moment)} from {kit.archive.place}") as done:
            found += _restored(run, kit, moment, project, checks)
            done["text"] = f"{count(len(found), 'check')} of {name_of(moment)}"
    except HandrailError as error:
        why = ": ".join(filter(None, (error.message, error.why)))
        found.append(DrillCheck("restore", CheckResult.FAILED, why))
    return record_drill(
        run,
        Drill(
            id=run.id,
            at=started,
            backup="",
            database=str(run.equipment.database.address),
            seconds=(clock() - started).total_seconds(),
            age=_lag(state, started),
            gap=None,
            checks=tuple(found),
            archive=kit.archive.place,
        ),
    )


def _restored(
    run: Run, kit: MomentKit, moment: datetime | None, project: ProjectFacts, checks: DrillChecks
) -> list[DrillCheck]:
    with kit.archive.copy(moment, run.id) as made:
        copy = kit.open(made.address)
        read = copy.fingerprint()
        rows = f"{count(read.rows, 'row')} in {count(len(read.tables), 'table')}"
        told = f"{name_of(moment)}, {rows}; there is no fingerprint of that moment to compare with"
        first = DrillCheck("restore", CheckResult.PASSED, told)
        return [first, *check_copy(run, Restored(copy, "that moment", copy.revisions()), project, checks)]


def _lag(state: ArchiveState, now: datetime) -> float:
    """What would be lost, at most: since the newest moment where the archive cannot tell."""
    if state.behind is not None:
        return state.behind
    return max(0.0, (now - state.window.newest).total_seconds()) if state.window else 0.0
