"""Rehearse a path on a restored copy: up, compare, down and up again where it can, everything measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from handrail.amounts import count
from handrail.backups.record import BackupRecord
from handrail.databases.database import Database
from handrail.errors import HandrailError, RehearsalFailed
from handrail.facts import Capability, DatabaseFacts, Fingerprint, FingerprintRequest
from handrail.migrations.operations import Operation, RevisionRun
from handrail.migrations.reading import FunctionReading, read_script
from handrail.migrations.revision import Direction, RevisionPath
from handrail.migrator.migrator import MigrationEvent, MigrationFailed, ProjectFacts
from handrail.rehearsal.compare import verdict
from handrail.rehearsal.completeness import added_columns
from handrail.rehearsal.expectation import Expectation, column_groups, expect
from handrail.rehearsal.markers import marker_warnings
from handrail.rehearsal.report import RehearsalReport
from handrail.rehearsal.writes import own_writes
from handrail.workflows.counting import revisions_done
from handrail.workflows.run import Run

#: Opens another restored copy, for the rare case that a script touches what reading it could not foresee.
OpenCopy = Callable[[], AbstractContextManager[Database]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the rehearsal leaves for the apply: the report, what to expect, the digests of the start by the column
    groups that may not change, and the schema it ended with."""

    report: RehearsalReport
    expectation: Expectation
    known: Fingerprint
    facts_after: DatabaseFacts
    #: The catalog before each revision, where each has a transaction of its own.
    facts_before: Mapping[str, DatabaseFacts] = field(default_factory=dict)


def read_bodies(path: RevisionPath) -> dict[str, FunctionReading]:
    """What each script of the path will do, as far as reading it shows."""
    readings = {revision.id: read_script(revision) for revision in path.revisions}
    if path.direction is Direction.UPGRADE:
        return {id_: reading.upgrade for id_, reading in readings.items()}
    return {id_: reading.downgrade for id_, reading in readings.items()}


def read_operations(bodies: Mapping[str, FunctionReading]) -> dict[str, tuple[Operation, ...]]:
    """Operations per revision as far as reading the scripts shows them."""
    return {id_: body.operations for id_, body in bodies.items()}


def read_warnings(path: RevisionPath, facts: DatabaseFacts | None) -> tuple[str, ...]:
    """What is wrong with the markers as far as reading the scripts shows; names are looked up where all is read."""
    bodies = read_bodies(path)
    is_read = facts is not None and not any(body.not_understood for body in bodies.values())
    return marker_warnings(path, expect(path, read_operations(bodies), facts) if is_read else None)


def executed(runs: tuple[RevisionRun, ...]) -> dict[str, tuple[Operation, ...]]:
    return {run.revision: run.operations for run in runs}


def rehearse(
    run: Run, project: ProjectFacts, path: RevisionPath, backup: BackupRecord, copy: Database, open_copy: OpenCopy
) -> Rehearsal:
    """Run the path on `copy`. Raises RehearsalFailed when a script fails there or loses something."""
    with run.step("rehearse", f"running {count(len(path.revisions), 'revision')} on the copy") as done:
        predicted, _ = column_groups(expect(path, read_operations(read_bodies(path)), backup.facts), backup.facts)
        known = _with_groups(backup.fingerprint, predicted, copy)
        start, broken_before = copy.facts(), copy.broken_references()
        facts_before: dict[str, DatabaseFacts] = {}
        runs = _run_each(run, path, copy, facts_before)
        expectation = expect(path, executed(runs), backup.facts)
        warnings = marker_warnings(path, expectation)
        for text in warnings:
            run.warn("rehearse", text)
        before_request, after_request = column_groups(expectation, backup.facts)
        if known.having(before_request) is None:
            with open_copy() as fresh:
                known = _with_groups(known, before_request, fresh)
        after, facts_after = copy.fingerprint(after_request), copy.facts()
        judged = verdict(
            known,
            after,
            start,
            facts_after,
            expectation,
            broken_before,
            copy.broken_references(),
            completeness=copy.completeness(added_columns(expectation, backup.facts, facts_after)),
            writes=own_writes(runs),
        )
        if not judged.is_lossless:
            raise RehearsalFailed(
                "the rehearsal changed what no script declared",
                why="; ".join(judged.failures),
                hint="\n".join((*warnings, judged.hint or "repair the script; the live database is untouched")),
                code="HR602",
            )
        proven, why_not = _there_and_back(run, project, path, backup, copy, (start, after))
        report = RehearsalReport(path, runs, judged, proven, why_not)
        done["text"] = "; ".join(report.lines())
        done["downgrade_proven"] = str(proven).lower()
    return Rehearsal(report, expectation, known, facts_after, facts_before)


def _run_each(
    run: Run, path: RevisionPath, copy: Database, facts_before: dict[str, DatabaseFacts]
) -> tuple[RevisionRun, ...]:
    """Run the path as the live database will: at once where one transaction holds it, else revision by revision, with
    the catalog before each (a branched path is run at once)."""
    whole = Capability.WHOLE_RUN_TRANSACTION in copy.capabilities
    if whole or len(path.revisions) == 1 or any(len(item.down_revisions) > 1 for item in path.revisions):
        if not whole and len(path.revisions) == 1:
            facts_before[path.revisions[0].id] = copy.facts()
        return _run(run, path, copy)
    runs: list[RevisionRun] = []
    for revision in path.revisions:
        facts_before[revision.id] = copy.facts()
        target = (revision.id,) if path.direction is Direction.UPGRADE else revision.down_revisions
        runs += _run(run, RevisionPath(path.direction, copy.revisions(), target, (revision,)), copy)
    return tuple(runs)


def _run(run: Run, path: RevisionPath, copy: Database) -> tuple[RevisionRun, ...]:
    def heard(event: MigrationEvent) -> None:
        if event.kind == "revision":
            done = revisions_done(path, event.revision)
            run.say("rehearse", f"{path.direction.value} {event.revision}", amount=done)

    limits = run.equipment.limits
    try:
        return run.equipment.migrator.run(path, on=copy.address, run_id=run.id, limits=limits, on_event=heard).runs
    except MigrationFailed as error:
        raise RehearsalFailed(
            f"the rehearsal failed: {error.message}",
            why=error.why,
            hint=f"{error.hint or 'repair the script and run the command again'}; the live database is untouched",
            code="HR601",
        ) from error


def _there_and_back(
    run: Run,
    project: ProjectFacts,
    path: RevisionPath,
    backup: BackupRecord,
    copy: Database,
    seen: tuple[DatabaseFacts, Fingerprint],
) -> tuple[bool, str]:
    """Whether downgrade leads back to the start exactly and upgrade then to the same end; else why not. `seen` is the
    copy's catalog at the start and its fingerprint after the upgrade."""
    if path.direction is not Direction.UPGRADE:
        return False, "this run is a downgrade"
    if len(path.start) > 1:
        return False, "the database stood at several heads"
    start, after = seen
    migrator, limits = run.equipment.migrator, run.equipment.limits
    run.say("rehearse", "downgrade, then upgrade again")
    try:
        there = replace(project, current=path.target)
        back = migrator.path(there, path.start[0] if path.start else "base")
        down = migrator.run(back, on=copy.address, run_id=run.id, limits=limits)
        way = expect(back, executed(down.runs), backup.facts)
        _, start_groups = column_groups(way.returning(), backup.facts)
        returned = copy.fingerprint(start_groups)
        judged = verdict(backup.fingerprint, returned, start, copy.facts(), way.returning(), (), ())
        if not judged.is_lossless:
            return False, f"after downgrade: {'; '.join(judged.failures)}"
        migrator.run(path, on=copy.address, run_id=run.id, limits=limits)
        same_groups = {table.table: tuple(group.columns for group in table.digests) for table in after.tables}
        if copy.fingerprint(same_groups).tables != after.tables:
            return False, "upgrading again gave other rows"
    except HandrailError as error:
        return False, error.message
    return True, ""


def _with_groups(known: Fingerprint, request: FingerprintRequest, copy: Database) -> Fingerprint:
    """`known` with the digests of `request` that it lacks, computed on an untouched copy."""
    return known if known.having(request) is not None else known.merged(copy.fingerprint(request))
