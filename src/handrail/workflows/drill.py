"""A drill: restore a backup into a scratch database, prove it, put every check to the copy, record how long it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from handrail.amounts import count
from handrail.backups.catalog import DRILLS, drill_key
from handrail.backups.drill import CheckResult, Drill, DrillCheck, gap_before
from handrail.backups.manifest import ManifestError, read_drill, write_drill
from handrail.backups.record import BackupRecord, Headline
from handrail.databases.database import Database, Probe
from handrail.errors import BackupError, HandrailError, NoModels, ProjectError
from handrail.facts import DatabaseAddress
from handrail.health_check import HealthResult
from handrail.migrations.revision import named
from handrail.migrator.migrator import ProjectFacts
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.workflows.backup import verified_copy
from handrail.workflows.catalog import require_place
from handrail.workflows.run import Equipment, Run, end_dead_runs
from handrail.workflows.sealing import identity_for


@dataclass(frozen=True, slots=True)
class DrillChecks:
    """What a person wants checked too: a query that must give a true value within `seconds`, and a command that must
    exit 0, which is told where the copy is."""

    query: str = ""
    seconds: float = 300.0
    command: Callable[[DatabaseAddress], HealthResult] | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored copy, and `what` it was restored from, in words: whether that holds a whole database, at which
    revisions."""

    copy: Database
    what: str
    revisions: tuple[str, ...]
    is_whole: bool = True


def drill(
    run: Run, record: BackupRecord, records: Sequence[Headline], project: ProjectFacts, checks: DrillChecks
) -> Drill:
    """Do it and store what came of it, also when it fails; a copy that cannot be made or is not the source is a failed
    check. Errors of writing the document pass through."""
    kit = run.equipment
    end_dead_runs(run)
    identity_for(run, record)  # that it is not here says nothing of the backup
    started, found = kit.clock(), list[DrillCheck]()
    try:
        with verified_copy(run, record) as copy:
            equal = f"{count(record.fingerprint.rows, 'row')} in {count(len(record.fingerprint.tables), 'table')}"
            found.append(DrillCheck("restore", CheckResult.PASSED, f"equal to the source, {equal}"))
            with run.step("drill", "checking the restored copy") as done:
                found += check_copy(
                    run, Restored(copy, "the backup", record.revisions, record.is_whole), project, checks
                )
                done["text"] = f"{count(len(found), 'check')} of the copy"
            ended = kit.clock()
    except HandrailError as error:
        ended = kit.clock()
        why = ": ".join(filter(None, (error.message, error.why)))
        found.append(DrillCheck("checks" if found else "restore", CheckResult.FAILED, why))
    made = Drill(
        id=run.id,
        at=started,
        backup=record.id,
        database=record.database,
        seconds=(ended - started).total_seconds(),
        age=max(0.0, (started - record.created_at).total_seconds()),
        gap=gap_before(record, records),
        checks=tuple(found),
    )
    return record_drill(run, made)


def record_drill(run: Run, made: Drill) -> Drill:
    """Store what came of it, in every store: a drill counts when one has it, as the first may be what is lost."""
    kit, failed = run.equipment, list[tuple[Store, StoreError]]()
    for store in kit.stores:
        try:
            with store.open_write(drill_key(kit.environment, run.id)) as out:
                out.write(write_drill(made))
        except StoreError as error:
            failed.append((store, error))
    if len(failed) == len(kit.stores):
        raise failed[0][1]
    for store, why in failed:
        run.warn("drill", f"{store.place} did not take what came of the drill: {why.message}")
    return made


def require_passed(drill: Drill) -> None:
    """BackupError when a check failed."""
    if not drill.has_passed:
        raise BackupError(
            f"the drill of {drill.source} failed",
            why="; ".join(f"{check.name}: {check.detail}" for check in drill.failures),
            hint="the live database is untouched; find out whether it has the same fault before you need it",
            code="HR550",
        )


def read_drills(kit: Equipment) -> tuple[tuple[Drill, ...], tuple[str, ...]]:
    """All drills of the environment that any store knows, newest first; and in words what cannot be read. A store that
    cannot be read is told there, unless none can."""
    found, unreadable, failed = dict[str, Drill](), list[str](), list[StoreError]()
    for store in kit.stores:
        place = f"{store.place}/" if kit.copies else ""
        try:
            for key in store.keys(f"{kit.environment}/{DRILLS}/"):
                try:
                    _read_one(kit, store, key, found)
                except ManifestError as error:
                    unreadable.append(f"{place}{key}: {error.message}: {error.why}")
        except StoreError as error:
            failed.append(error)
            unreadable.append(f"{store.place}: {error.message}: {error.why}")
    if len(failed) == len(kit.stores):
        raise failed[0]
    return tuple(sorted(found.values(), key=lambda one: (one.at, one.id), reverse=True)), tuple(unreadable)


def _read_one(kit: Equipment, store: Store, key: str, found: dict[str, Drill]) -> None:
    """Add a drill to those that are found; what the first store says of one counts. ManifestError."""
    with suppress(MissingObject):
        with store.open_read(key) as source:
            one = read_drill(source.read(), name=key)
        require_place(key, drill_key(kit.environment, one.id), f"the drill {one.id}")
        found.setdefault(one.id, one)


def check_copy(run: Run, restored: Restored, project: ProjectFacts, checks: DrillChecks) -> list[DrillCheck]:
    """In this order, as the query and the command may write."""
    copy = restored.copy
    return [
        *map(_of_probe, copy.integrity()),
        _models(run, restored, project),
        _query(checks, copy),
        _command(checks, copy),
    ]


def _of_probe(probe: Probe) -> DrillCheck:
    result = {True: CheckResult.PASSED, False: CheckResult.FAILED, None: CheckResult.NOT_CHECKED}[probe.ok]
    return DrillCheck(probe.name, result, "; ".join(filter(None, (probe.detail, probe.hint))))


def _judged(name: str, is_well: bool, detail: str) -> DrillCheck:
    return DrillCheck(name, CheckResult.PASSED if is_well else CheckResult.FAILED, detail)


def _models(run: Run, restored: Restored, project: ProjectFacts) -> DrillCheck:
    """Whether the application's models load and agree with the copy, as `handrail check` asks the live database."""
    if set(restored.revisions) != set(project.heads):
        where = f"{restored.what} is at {named(restored.revisions)}, the scripts are at {named(project.heads)}"
        return DrillCheck("models", CheckResult.NOT_CHECKED, where)
    if not restored.is_whole:
        return DrillCheck("models", CheckResult.NOT_CHECKED, f"{restored.what} holds a part of the database")
    try:
        differences = [one.summary for one in run.equipment.migrator.differences(on=restored.copy.address)]
    except NoModels as error:
        return DrillCheck("models", CheckResult.NOT_CHECKED, f"{error.message}; {error.hint}")
    except ProjectError as error:
        return _judged("models", False, ": ".join(filter(None, (error.message, error.why))))
    return _judged("models", not differences, "; ".join(differences) or "they load, and agree with the copy")


def _query(checks: DrillChecks, copy: Database) -> DrillCheck:
    if not checks.query:
        return DrillCheck("query", CheckResult.NOT_CHECKED, "`drill.query` of the environment names none")
    try:
        value = copy.ask(checks.query, seconds=checks.seconds)
    except BackupError as error:
        return _judged("query", False, error.why)
    return _judged("query", bool(value), f"`{checks.query}` gave {value!r:.60}")


def _command(checks: DrillChecks, copy: Database) -> DrillCheck:
    if checks.command is None:
        return DrillCheck("command", CheckResult.NOT_CHECKED, "`drill.command` of the environment names none")
    result = checks.command(copy.address)
    return _judged("command", result.is_well, result.detail)
