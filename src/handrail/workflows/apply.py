"""Apply a path to the live database with proof inside its transactions, and prove afterwards what others write to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from handrail.amounts import count
from handrail.backups.record import BackupRecord
from handrail.facts import Capability, DatabaseFacts, HeldLock, WriteActivity
from handrail.journal.journal import EventKind
from handrail.migrations.revision import RevisionPath
from handrail.migrator.migrator import (
    InTransactionProof,
    MigrationEvent,
    MigrationOutcome,
    ProjectFacts,
    ProofFailed,
    ProofRequest,
)
from handrail.rehearsal.compare import Verdict, proven_tables, verdict, verdict_live
from handrail.rehearsal.completeness import added_columns
from handrail.rehearsal.expectation import Expectation, column_groups, expect, expect_each
from handrail.rehearsal.report import locks_for_proof
from handrail.rehearsal.writes import own_writes
from handrail.workflows.counting import revisions_done
from handrail.workflows.rehearse import Rehearsal, executed, read_bodies, read_operations
from handrail.workflows.run import Run

#: Seconds. A busy session of PostgreSQL reports its writes once a second, an idle one up to ten seconds later.
_STATISTICS_LAG = 12.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What the apply saw: what ran, and the verdicts of the proofs inside transactions by revision."""

    outcome: MigrationOutcome
    verdicts: dict[str, Verdict]


def apply_path(
    run: Run, project: ProjectFacts, path: RevisionPath, backup: BackupRecord | None, rehearsal: Rehearsal | None
) -> Applied:
    """Run the path on the live database. What a judge refuses is rolled back inside its transaction."""
    kit = run.equipment
    expectations = _expectations(kit.database.capabilities, path, backup, rehearsal)
    proofs = _proof_requests(run, expectations, backup, rehearsal)
    verdicts: dict[str, Verdict] = {}

    def judge(revision: str, seen: InTransactionProof) -> None:
        judged = verdict(
            seen.before,
            seen.after,
            seen.facts_before,
            seen.facts_after,
            expectations[revision],
            seen.broken_before,
            seen.broken_after,
            completeness=seen.completeness,
            writes=seen.writes,
        )
        verdicts[revision] = judged
        _require_lossless(judged)

    with run.step("apply", f"applying {count(len(path.revisions), 'revision')} to the live database") as done:
        outcome = kit.migrator.run(
            path, run_id=run.id, limits=kit.limits, proofs=proofs, judge=judge, on_event=_hear(run, path)
        )
        seconds = sum(item.seconds for item in outcome.runs)
        waits = f", {outcome.lock_waits} lock waits" if outcome.lock_waits else ""
        done["text"] = f"{count(len(outcome.runs), 'revision')} applied in {seconds:.2f} s{waits}"
    return Applied(outcome, verdicts)


def _require_lossless(judged: Verdict) -> None:
    if not judged.is_lossless:
        raise ProofFailed(
            "the upgrade changed what no script declared", why="; ".join(judged.failures), hint=judged.hint
        )


def _hear(run: Run, path: RevisionPath) -> Callable[[MigrationEvent], None]:
    def heard(event: MigrationEvent) -> None:
        if event.kind == "committed":
            run.note(EventKind.COMMITTED, "apply", {"revision": event.revision})
        if event.kind in ("revision", "lock_wait"):
            text = f"{path.direction.value} {event.revision} {event.text}".rstrip()
            run.say("apply", text, amount=revisions_done(path, event.revision))

    return heard


def _expectations(
    capabilities: frozenset[Capability], path: RevisionPath, backup: BackupRecord | None, rehearsal: Rehearsal | None
) -> dict[str, Expectation]:
    """What each proof expects: the whole run for its last revision when one transaction holds all of them, else
    each revision for itself; from the rehearsal's executed operations, or from reading when there was none."""
    if backup is None:
        return {}
    if rehearsal is not None:
        operations = executed(rehearsal.report.runs)
    else:
        bodies = read_bodies(path)
        if any(body.not_understood for body in bodies.values()):
            return {}
        operations = read_operations(bodies)
    if Capability.WHOLE_RUN_TRANSACTION in capabilities:
        return {path.revisions[-1].id: expect(path, operations, backup.facts)}
    facts_before = rehearsal.facts_before if rehearsal else {}
    if len(path.revisions) > 1 and len(facts_before) < len(path.revisions):
        return {}  # without the catalog before each revision nothing exact can be asked for
    return expect_each(path, operations, {path.revisions[0].id: backup.facts, **facts_before})


def _proof_requests(
    run: Run, expectations: dict[str, Expectation], backup: BackupRecord | None, rehearsal: Rehearsal | None
) -> dict[str, ProofRequest]:
    if backup is None:
        return {}
    kit = run.equipment
    requests = {}
    for revision, expectation in expectations.items():
        facts, facts_after = _facts_around(revision, backup, rehearsal)
        before, after = column_groups(expectation, facts)
        added = added_columns(expectation, facts, facts_after)
        locks: tuple[HeldLock, ...] = ()
        if Capability.CONCURRENT_WRITERS in kit.database.capabilities:
            budget = kit.prove_budget
            chosen = locks_for_proof(rehearsal.report, revision, budget) if rehearsal else ()
            locks = tuple(lock for lock in chosen if lock.table in before)
            names = expectation.renamed()
            before = {lock.table: before[lock.table] for lock in locks}
            after = {names.get(name, name): after[names.get(name, name)] for name in before}
            added = {name: columns for name, columns in added.items() if name in after}
        known = rehearsal.known if rehearsal else backup.fingerprint
        requests[revision] = ProofRequest(before, after, locks, added, known if known.content else None)
    return requests


def _facts_around(
    revision: str, backup: BackupRecord, rehearsal: Rehearsal | None
) -> tuple[DatabaseFacts, DatabaseFacts | None]:
    """The catalog before the transaction of this revision, and after it as far as a rehearsal has seen it."""
    if rehearsal is None:
        return backup.facts, None
    seen = rehearsal.facts_before
    ids = list(seen)
    following = ids[ids.index(revision) + 1 :] if revision in seen else []
    return seen.get(revision, backup.facts), seen[following[0]] if following else rehearsal.facts_after


def prove_after(
    run: Run,
    path: RevisionPath,
    applied: Applied,
    activity: WriteActivity,
    backup: BackupRecord | None,
    rehearsal: Rehearsal | None,
) -> Verdict | None:
    """The run's verdict. With a single writer the proofs inside the transaction say it all; with concurrent writers
    the tables not proven there are compared now (`activity`: their writes before the backup). Raises ProofFailed;
    None when there was nothing to prove with."""
    kit = run.equipment
    if backup is None:
        return None
    with run.step("prove", "comparing the database with what it held before") as done:
        if Capability.CONCURRENT_WRITERS not in kit.database.capabilities:
            judged = applied.verdicts.get(path.revisions[-1].id)
        else:
            judged = _prove_live(run, applied, activity, backup, rehearsal)
        if judged is None:
            run.warn("prove", f"not proven: {_why_not(kit.database.capabilities)}")
            return None
        _require_lossless(judged)
        done["text"] = judged.summary()
        done["not_proven"] = ", ".join(str(table) for table in judged.not_proven)
    return judged


def _why_not(capabilities: frozenset[Capability]) -> str:
    if Capability.CONCURRENT_WRITERS in capabilities:
        return "nothing was rehearsed, so there is nothing to compare a database with to which others write"
    return "a script could not be read and was not rehearsed"


def _prove_live(
    run: Run, applied: Applied, activity: WriteActivity, backup: BackupRecord, rehearsal: Rehearsal | None
) -> Verdict | None:
    kit = run.equipment
    if rehearsal is None:
        return None
    _, after_request = column_groups(rehearsal.expectation, backup.facts)
    after, facts_after = kit.database.fingerprint(after_request), kit.database.facts()
    expectation, proven = rehearsal.expectation, proven_tables(applied.verdicts)
    inside = {expectation.of(table).after for table in proven}
    added = added_columns(expectation, backup.facts, facts_after)
    completeness = kit.database.completeness({name: added[name] for name in added.keys() - inside})

    def judge() -> Verdict:
        return verdict_live(
            before=rehearsal.known,
            after=after,
            facts_before=backup.facts,
            facts_after=facts_after,
            rehearsed=rehearsal.facts_after,
            expectation=expectation,
            exact=proven,
            activity_before=activity,
            activity_after=kit.database.activity(),
            maintenance=kit.maintenance,
            writes=own_writes(applied.outcome.runs),
            completeness=completeness,
        )

    return judge() if kit.maintenance else _when_statistics_have_come(judge)


def _when_statistics_have_come(judge: Callable[[], Verdict]) -> Verdict:
    """Judge again while something seems lost: the statistics of what others wrote come late."""
    from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, wait_fixed

    def last(state: RetryCallState) -> Verdict:
        assert state.outcome is not None  # noqa: S101 - it is called after an attempt
        return cast(Verdict, state.outcome.result())

    retrying = Retrying(
        retry=retry_if_result(lambda judged: not judged.is_lossless),
        stop=stop_after_delay(_STATISTICS_LAG),
        wait=wait_fixed(0.5),
        retry_error_callback=last,
    )
    return retrying(judge)
