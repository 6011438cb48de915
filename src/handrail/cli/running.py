"""What upgrade, downgrade and rehearse show: outcomes and rehearsal reports, as text and as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.amounts import count
from handrail.cli.output import Output
from handrail.errors import ExitCode, HandrailError, RehearsalFailed, UsageError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from handrail.facts import DatabaseAddress
    from handrail.migrations.revision import RevisionPath
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring import Project
    from handrail.workflows.rehearse import Rehearsal
    from handrail.workflows.run import Equipment
    from handrail.workflows.upgrade import Outcome


def show_outcome(output: Output, outcome: Outcome) -> None:
    """The end of a guarded run."""
    from handrail.cli.run_documents import Moved

    path = outcome.path
    output.lines(f"done: {path.direction.value}d to {named(path.target)} in {outcome.seconds:.1f} s")
    if outcome.backup:
        output.lines(f"backup {outcome.backup.id}, proven to restore")
    output.lines(*(outcome.proof.lines() if outcome.proof else ["not proven: nothing was compared before and after"]))
    output.warnings(outcome.warnings)
    output.document(Moved.of(outcome))


def rehearse_here(output: Output, kit: Equipment, facts: ProjectFacts, path: RevisionPath) -> None:
    """Backup, verify and rehearse on the copy; nothing else."""
    from handrail.cli.run_documents import Rehearsed

    if path.is_empty:
        output.lines(f"nothing pending: the database is at {named(facts.current)}")
        output.document(Rehearsed())
        return
    backup, rehearsal, warnings = rehearsed_on_copy(output, kit, facts, path)
    output.lines(*rehearsal.report.lines())
    output.warnings(warnings)
    output.document(Rehearsed.of(backup, rehearsal.report, warnings))


def rehearsed_on_copy(
    output: Output, kit: Equipment, facts: ProjectFacts, path: RevisionPath
) -> tuple[str, Rehearsal, tuple[str, ...]]:
    """Back up, verify and rehearse on the copy; the backup's id, the rehearsal, and the warnings on the way."""
    from handrail.errors import BackupError
    from handrail.workflows.backup import make_backup, restored, verified_copy
    from handrail.workflows.rehearse import rehearse
    from handrail.workflows.run import locked_run

    if facts.database_missing or not kit.database.exists():
        raise BackupError(
            f"{facts.address} is not there yet", why="there are no rows to rehearse with", hint="handrail upgrade"
        )
    with locked_run(kit, output.progress, "rehearse") as run:
        backup = make_backup(run, "rehearsal")
        with verified_copy(run, backup) as copy:
            rehearsal = rehearse(run, facts, path, backup, copy, lambda: restored(run, backup))
    return backup.id, rehearsal, tuple(run.warnings)


def rehearse_elsewhere(output: Output, project: Project, target: str, on: str) -> None:
    """Run the whole history on an empty database of another engine: green on SQLite, red on PostgreSQL shows."""
    from handrail.wiring import empty_postgres, new_run_id

    if on != "postgresql":
        raise UsageError(f"--on {on} is not known", hint="--on postgresql")
    facts, run_id = project.migrator.describe(), new_run_id()
    output.display.begin("rehearse", "running the whole history on an empty PostgreSQL")
    with empty_postgres(project.config, run_id) as address:
        _whole_history(output, project, facts, target, address, run_id)


def _whole_history(
    output: Output, project: Project, facts: ProjectFacts, target: str, address: DatabaseAddress, run_id: str
) -> None:
    from dataclasses import replace

    from handrail.cli.run_documents import Rehearsed
    from handrail.migrator.migrator import MigrationFailed

    path = project.migrator.path(replace(facts, current=()), target)
    try:
        outcome = project.migrator.run(path, on=address, run_id=run_id, limits=project.limits())
    except MigrationFailed as error:
        raise RehearsalFailed(
            f"the history fails on PostgreSQL: {error.message}",
            why=error.why,
            hint="repair that script; your own database was not touched",
            code="HR603",
        ) from error
    except HandrailError as error:
        if error.exit_code is ExitCode.USAGE:
            raise
        raise RehearsalFailed(error.message, why=error.why, hint=error.hint) from error
    rows = [(run.revision, f"{run.seconds:.2f} s", str(len(run.statements))) for run in outcome.runs]
    output.lines(f"the whole history runs on an empty PostgreSQL: {count(len(outcome.runs), 'revision')}")
    output.table(("revision", "time", "statements"), rows)
    output.document(Rehearsed(on="postgresql", runs=outcome.runs))
