"""The guarded run in this process, with the real adapters on SQLite: what it does, and how it brings back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import (
    ApprovalMissing,
    BroughtBack,
    ExitCode,
    HandrailError,
    LockNotObtained,
    NotBroughtBack,
    PartlyDone,
    RehearsalFailed,
)
from handrail.guard.plan import ApplyPlan, Undo
from handrail.health_check import HealthResult
from handrail.journal.journal import EventKind, Journal, JournalError, JournalEvent, JournalledRun
from handrail.migrations.declarations import EXAMPLE
from handrail.migrations.revision import Direction, RevisionPath
from handrail.wiring import open_project
from handrail.workflows.backup import make_backup
from handrail.workflows.bring_back import WayBack, bring_back, restore_in_place
from handrail.workflows.catalog import find, whole
from handrail.workflows.prune import COMMAND
from handrail.workflows.recover import Decision, Settled, recover
from handrail.workflows.run import RESTORE, STAMP, Equipment, Progress, begun_run, overwriting_run
from handrail.workflows.upgrade import Outcome, Request, described, guarded_run, make_plan, marker_warnings_of
from support.projects import BOOKINGS, STATUS, Script, make_project, write_script
from support.runs import left_open

TOPICS = [(1, "파이썬 학습"), (2, "API 개발")]
OLD: tuple[Any, ...] = ("a1", TOPICS)
NEW: tuple[Any, ...] = ("b2", [(*row, "SCHEDULED") for row in TOPICS])
LOSSY = replace(
    STATUS, upgrade='op.execute("UPDATE bookings SET topic = substr(topic, 1, 3) WHERE id > 0")', downgrade="pass"
)
BROKEN = replace(STATUS, upgrade=f"{STATUS.upgrade.rstrip()}\n    op.execute('INSERT INTO nowhere VALUES (1)')")
NO_WAY_BACK = replace(STATUS, downgrade="pass")


class PowerCut(BaseException):
    """What no `except Exception` sees: as if the process ended here."""


@dataclass
class Cutting:
    """A journal whose disk goes away at the n-th append and stays away."""

    inner: Journal
    at: int
    seen: list[JournalEvent] = field(default_factory=list)

    def append(self, event: JournalEvent) -> None:
        self.seen.append(event)
        if len(self.seen) >= self.at:
            raise PowerCut(f"{event.kind.value} {event.step}")
        self.inner.append(event)

    def runs(self) -> tuple[JournalledRun, ...]:
        return self.inner.runs()

    def open_runs(self) -> tuple[JournalledRun, ...]:
        return self.inner.open_runs()

    def held(self, run_id: str) -> AbstractContextManager[None]:
        return self.inner.held(run_id)

    def is_held(self, run_id: str) -> bool:
        return self.inner.is_held(run_id)


@dataclass
class Unlocked(Cutting):
    """A journal on a file system that has no locks."""

    def is_held(self, run_id: str) -> bool:
        return False


@dataclass
class Full(Cutting):
    """A journal whose disk is full from the n-th append on."""

    is_full: bool = False

    def append(self, event: JournalEvent) -> None:
        try:
            super().append(event)
        except PowerCut as error:
            self.is_full = True
            raise JournalError(
                "the journal cannot be written", why="No space left on device", hint="make room"
            ) from error


class Bench:
    """A project with its database at a1, and runs on it."""

    def __init__(self, folder: Path, script: Script = STATUS) -> None:
        self.folder = make_project(folder, revisions=(BOOKINGS,))
        self.file = folder / "local.db"
        self.said: list[Progress] = []
        self.project = open_project(folder, None)
        self.run()
        write_script(folder, script)
        self.said.clear()

    def put(self, script: Script) -> None:
        write_script(self.folder, script)

    def ready(
        self, target: str = "head", change: Callable[[Equipment], Equipment] = lambda kit: kit
    ) -> tuple[Equipment, Request]:
        facts = self.project.migrator.describe(target)
        assert facts.path is not None
        return change(self.project.equipment(facts)), Request("upgrade", facts.path, facts)

    def run(self, target: str = "head", change: Callable[[Equipment], Equipment] = lambda kit: kit) -> Outcome:
        return guarded_run(*self.ready(target, change), self.said.append)

    def killed_while_applying(self) -> None:
        def crash(event: Progress) -> None:
            if (event.step, event.state) == ("apply", "started"):
                raise PowerCut

        kit, request = self.ready()
        with pytest.raises(PowerCut):
            guarded_run(kit, request, crash)

    def recover(self, wanted: str = "") -> tuple[Settled, ...]:
        kit, request = self.ready()
        return recover(kit, request.project, Decision(wanted), self.said.append)

    def content(self) -> tuple[Any, ...]:
        """The stamp, and every row of bookings."""
        with closing(sqlite3.connect(self.file)) as connection:
            (stamp,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return stamp, connection.execute("SELECT * FROM bookings ORDER BY id").fetchall()

    def journalled(self) -> tuple[JournalledRun, ...]:
        return self.ready()[0].journal.runs()


def unwell(kit: Equipment, restore: str = "auto") -> Equipment:
    policy = replace(kit.policy, has_health_check=True, restore=restore)
    return replace(kit, policy=policy, health=lambda: HealthResult(False, "GET /health answered 500"))


def withheld(kit: Equipment) -> Equipment:
    return unwell(kit, "never")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_sound_upgrade_is_backed_up_rehearsed_applied_and_proven(bench: Bench) -> None:
    outcome = bench.run()
    assert bench.content() == NEW
    assert (outcome.path.start, outcome.path.target, outcome.warnings, outcome.findings) == (("a1",), ("b2",), (), ())
    assert outcome.backup is not None
    assert (outcome.backup.id, outcome.backup.revisions, outcome.backup.fingerprint.rows) == (
        outcome.run_id,
        ("a1",),
        2,
    )
    assert outcome.rehearsal is not None
    assert outcome.rehearsal.report.downgrade_proven
    assert outcome.proof is not None
    assert outcome.proof.is_lossless
    assert {str(one.table): one.classification.value for one in outcome.proof.tables} == {
        "bookings": "changed as declared"
    }
    steps = ["backup", "restore copy", "verify", "rehearse", "apply", "prove"]
    assert [event.step for event in bench.said if event.state == "done"] == steps
    last = bench.journalled()[-1]
    assert [event.step for event in last.events if event.kind is EventKind.STEP_DONE] == steps
    assert (last.run_id, last.is_open) == (outcome.run_id, False)


def test_at_head_nothing_is_taken_or_journalled(bench: Bench) -> None:
    bench.run()
    before = len(bench.journalled())
    kit, request = bench.ready()
    assert guarded_run(kit, request, bench.said.append) == Outcome(request.path)
    assert len(bench.journalled()) == before


def test_a_script_that_fails_fails_on_the_copy(bench: Bench) -> None:
    bench.put(BROKEN)
    file_before = bench.file.read_bytes()
    with pytest.raises(RehearsalFailed) as raised:
        bench.run()
    assert "no such table: nowhere" in raised.value.why
    assert raised.value.hint
    assert (bench.content(), bench.file.read_bytes() == file_before) == (OLD, True)
    assert not bench.journalled()[-1].is_open


def test_an_undeclared_change_is_named_with_the_comment_that_declares_it(bench: Bench) -> None:
    bench.put(LOSSY)
    with pytest.raises(RehearsalFailed) as raised:
        bench.run()
    assert raised.value.why.startswith("bookings: changed though not declared")
    assert "# handrail: changes bookings" in raised.value.hint
    assert bench.content() == OLD
    bench.put(replace(LOSSY, head="# handrail: changes bookings.topic"))
    outcome = bench.run()
    assert outcome.proof is not None
    assert outcome.proof.is_lossless
    assert bench.content() == ("b2", [(1, "파이썬"), (2, "API")])


def test_a_column_that_is_added_and_filled_otherwise_must_be_declared(bench: Bench) -> None:
    half = f"{STATUS.upgrade.rstrip()}\n    op.execute(\"UPDATE bookings SET status = 'X' WHERE id = 1\")"
    bench.put(replace(STATUS, upgrade=half))
    with pytest.raises(RehearsalFailed) as raised:
        bench.run()
    assert raised.value.why == (
        "bookings: changed though not declared (exact, 2 rows): 1 row is not filled with the default of status"
    )
    assert "# handrail: changes bookings.status" in raised.value.hint
    assert bench.content() == OLD
    bench.put(replace(STATUS, upgrade=half, head="# handrail: changes bookings.status"))
    bench.run()
    assert bench.content() == ("b2", [(1, "파이썬 학습", "X"), (2, "API 개발", "SCHEDULED")])


def test_the_live_transaction_measures_added_columns_too(bench: Bench) -> None:
    """A script that does on the live database what it did not on the copy."""
    only_live = f"""{STATUS.upgrade.rstrip()}
    if op.get_bind().exec_driver_sql("PRAGMA database_list").fetchone()[2].endswith("local.db"):
        op.execute("UPDATE bookings SET status = 'X' WHERE id = 1")
    """
    bench.put(replace(STATUS, upgrade=only_live))
    with pytest.raises(BroughtBack) as raised:
        bench.run()
    assert raised.value.why.startswith(
        "bookings: changed though not declared (exact, 2 rows): 1 row is not filled with the default of status."
    )
    assert bench.content() == OLD


def test_markers_that_declare_nothing_are_said(bench: Bench) -> None:
    bench.put(replace(STATUS, head="# handrail: changes bokings.topic"))
    where = "migrations/versions/b2_script.py:4"
    text = (
        f"{where}: the marker names bokings.topic and declares nothing, since no such table or column is there before or"
        " after the script; did you mean bookings.topic?"
    )
    kit, request = bench.ready()
    assert marker_warnings_of(kit, request) == (text,)
    bench.put(replace(LOSSY, head="# handrail: changes bokings.topic"))
    with pytest.raises(RehearsalFailed) as raised:
        bench.run()
    assert raised.value.hint.splitlines()[0] == text
    bench.put(replace(STATUS, head="# handrail changes bookings"))
    without = replace(kit.policy, rehearse="off")
    outcome = bench.run(change=lambda kit: replace(kit, policy=without))
    assert outcome.warnings == (
        f"{where}: the marker 'handrail changes bookings' declares nothing: the colon after 'handrail' is missing;"
        f" write: {EXAMPLE}",
    )


def test_a_failed_health_check_is_brought_back_by_the_proven_downgrade(bench: Bench) -> None:
    with pytest.raises(BroughtBack) as raised:
        bench.run(change=unwell)
    assert raised.value.why == (
        "GET /health answered 500. The database was brought back: the downgrade that the rehearsal had proven was run;"
        " no write was lost."
    )
    assert bench.content() == OLD
    assert not bench.journalled()[-1].is_open


def test_without_a_proven_downgrade_the_backup_is_restored_and_the_failed_database_kept(bench: Bench) -> None:
    bench.put(NO_WAY_BACK)
    with pytest.raises(BroughtBack) as raised:
        bench.run(change=unwell)
    run_id = bench.journalled()[-1].run_id
    assert f"backup {run_id} was restored; no table has gained or lost rows since" in raised.value.why
    assert bench.content() == OLD
    (kept,) = [path for path in bench.folder.iterdir() if run_id in path.name and path.is_file()]
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT * FROM bookings ORDER BY id").fetchall() == NEW[1]


@pytest.mark.parametrize(("wanted", "result", "left"), [("keep", "kept", NEW), ("restore", "restored", OLD)])
def test_a_withheld_restore_blocks_until_it_is_decided(
    bench: Bench, wanted: str, result: str, left: tuple[Any, ...]
) -> None:
    bench.put(NO_WAY_BACK)
    with pytest.raises(NotBroughtBack) as raised:
        bench.run(change=withheld)
    assert raised.value.why.endswith("the rehearsal could not prove the downgrade, and the restore was withheld")
    assert bench.content() == NEW
    with pytest.raises(PartlyDone) as blocked:
        bench.run("-1")
    assert blocked.value.hint == "handrail recover"
    with pytest.raises(ApprovalMissing):
        bench.recover()
    assert [item.result for item in bench.recover(wanted)] == [result]
    assert (bench.content(), bench.recover()) == (left, ())
    bench.run()
    assert bench.content() == NEW


def test_a_run_that_finds_the_lock_held_ends_and_changes_nothing(bench: Bench) -> None:
    kit, _ = bench.ready()
    with kit.database.lock("another", wait=0), pytest.raises(LockNotObtained) as raised:
        bench.run(change=lambda kit: replace(kit, lock_wait=0.05))
    assert "another" in f"{raised.value.message} {raised.value.why}"
    assert bench.content() == OLD
    bench.run()
    assert bench.content() == NEW


def test_several_heads_are_compared_in_any_order(bench: Bench) -> None:
    kit, request = bench.ready()
    with closing(sqlite3.connect(bench.file)) as connection, connection:
        connection.execute("INSERT INTO alembic_version VALUES ('0head')")
    run = left_open(kit, bench.said.append, "upgrade", {})
    path = RevisionPath(Direction.UPGRADE, ("a1", "0head"), ("b2",), ())
    ended = bring_back(run, WayBack(request.project, path, ()), HandrailError("it failed"), None)
    assert isinstance(ended, BroughtBack)
    assert ended.why == (
        "The database was brought back: the transaction was rolled back; no row written by others was lost."
    )


def test_an_unexpected_error_after_the_commit_is_brought_back_too(bench: Bench) -> None:
    def broken() -> HealthResult:
        raise ZeroDivisionError("a defect of ours")

    with pytest.raises(BroughtBack) as raised:
        bench.run(change=lambda kit: replace(unwell(kit), health=broken))
    assert "ZeroDivisionError" in raised.value.message
    assert bench.content() == OLD


def test_a_power_cut_at_each_journal_event_leaves_old_or_new_and_recover_ends_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    left: list[str] = []
    old = bench.file.read_bytes()
    for at in range(1, 100):
        bench.file.write_bytes(old)
        kit, request = bench.ready(change=lambda kit, at=at: replace(kit, journal=Cutting(kit.journal, at)))  # type: ignore[misc]
        plan = make_plan(kit, request)[0]
        assert isinstance(plan, ApplyPlan)
        try:
            guarded_run(kit, request, bench.said.append)
        except PowerCut:
            _settle(bench, left)
        else:
            break
    print(f"cut at {len(left)} journal events: {left.count('a1')} old, {left.count('b2')} new")
    assert isinstance(plan, ApplyPlan)
    planned = {step.kind.value for step in plan.steps} - {"lint", "lock"}
    assert {"backup", "verify", "rehearse", "apply", "prove"} == planned
    assert len(left) >= 2 + 2 * len(planned)
    assert set(left) == {"a1", "b2"}


UNTOUCHED = {
    ExitCode.USAGE,
    ExitCode.BACKUP_NOT_VERIFIED,
    ExitCode.REHEARSAL_FAILED,
    ExitCode.APPLY_FAILED_BROUGHT_BACK,
}


@pytest.mark.parametrize("change", [lambda kit: kit, unwell, withheld], ids=["sound", "unwell", "withheld"])
def test_a_journal_on_a_full_disk_never_makes_an_exit_code_lie(
    tmp_path: Path, change: Callable[[Equipment], Equipment]
) -> None:
    """The disk takes n events and no more: whatever is said then is true of the database, and recover ends the run."""
    bench = Bench(tmp_path)
    old, told = bench.file.read_bytes(), set[str]()
    for at in range(1, 100):
        bench.file.write_bytes(old)
        full = Full(bench.project.equipment(bench.project.migrator.describe()).journal, at)
        kit, request = bench.ready(change=lambda kit, full=full: replace(change(kit), journal=full))  # type: ignore[misc]
        try:
            guarded_run(kit, request, bench.said.append)
        except HandrailError as error:
            told.add(f"{error.exit_code.name}: {error.message}")
            found = bench.content()
            assert found == (OLD if error.exit_code in UNTOUCHED else NEW), (at, error.exit_code, error.message)
            assert error.exit_code in UNTOUCHED | {ExitCode.PARTLY_DONE, ExitCode.APPLY_FAILED_NOT_BROUGHT_BACK}
            assert error.hint
        if not full.is_full:
            break
        for settled in bench.recover("keep"):
            assert settled.result in ("never applied", "done", "undone", "kept")
        assert [run for run in bench.journalled() if run.is_open] == []
    print("\n".join(sorted(told)))
    assert at > 12


@pytest.mark.parametrize("step", ["rehearse", "apply", "prove"])
def test_a_crash_as_a_step_starts_is_settled(bench: Bench, step: str) -> None:
    def crash(event: Progress) -> None:
        if (event.step, event.state) == (step, "started"):
            raise PowerCut(step)

    kit, request = bench.ready()
    with pytest.raises(PowerCut):
        guarded_run(kit, request, crash)
    assert bench.journalled()[-1].is_open == (step != "rehearse")
    _settle(bench, [])


def _settle(bench: Bench, left: list[str]) -> None:
    found = bench.content()
    assert found in (OLD, NEW)
    left.append(found[0])
    for settled in bench.recover():
        assert settled.result in ("never applied", "done", "undone")
    assert bench.content() in (OLD, NEW)
    bench.run()
    assert bench.content() == NEW
    assert [run for run in bench.journalled() if run.is_open] == []


def _orphan(bench: Bench) -> None:
    """Tables that no script knows, with a child whose parent is gone: SQLite lets it in while foreign_keys is off."""
    with closing(sqlite3.connect(bench.file)) as connection:
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents (id))")
        connection.execute("INSERT INTO children VALUES (1, 99)")
        connection.commit()


def test_a_reference_that_was_broken_before_is_no_fault_of_the_script(bench: Bench) -> None:
    _orphan(bench)
    bench.run()
    assert bench.content() == NEW


def test_a_reference_that_the_script_breaks_is_refused(bench: Bench) -> None:
    _orphan(bench)
    bench.put(
        replace(
            STATUS,
            upgrade="""
            # handrail: changes children
            op.execute("INSERT INTO children VALUES (2, 98)")
            """,
            downgrade="pass",
        )
    )
    with pytest.raises(RehearsalFailed) as caught:
        bench.run()
    assert caught.value.why == "broken reference: children.parent -> parents: 2 rows (1 before)"
    assert bench.content() == OLD


def test_a_script_that_mends_one_of_two_broken_references_is_let_through(bench: Bench) -> None:
    _orphan(bench)
    with closing(sqlite3.connect(bench.file)) as connection, connection:
        connection.execute("INSERT INTO children VALUES (2, 98)")
    mend = """
    # handrail: changes children
    op.execute("DELETE FROM children WHERE id = 2")
    """
    bench.put(replace(STATUS, upgrade=mend, downgrade="pass"))
    proof = bench.run().proof
    assert proof is not None
    assert proof.failures == ()


HALF = """
    with op.get_context().autocommit_block():
        op.execute("{half}")
    if op.get_bind().exec_driver_sql("PRAGMA database_list").fetchone()[2].endswith("local.db"):
        raise ValueError("only on the live database")
"""


@pytest.mark.parametrize("half", ["CREATE INDEX half ON bookings (topic)", "UPDATE bookings SET topic = 'half'"])
def test_what_a_script_committed_by_itself_is_not_called_rolled_back(bench: Bench, half: str) -> None:
    bench.put(replace(STATUS, upgrade=HALF.format(half=half), downgrade="pass", head="# handrail: changes bookings"))
    with pytest.raises(NotBroughtBack) as raised:
        bench.run(change=withheld)
    assert raised.value.why == (
        "ValueError: only on the live database; what it did before its autocommit_block is committed already; the"
        " database stays as it is because the script had committed a part of its work by itself, and the restore was"
        " withheld"
    )
    assert [item.result for item in bench.recover("restore")] == ["restored"]
    assert bench.content() == OLD
    with pytest.raises(BroughtBack) as back:
        bench.run(change=unwell)
    assert "was restored; no table has gained or lost rows since" in back.value.why
    assert bench.content() == OLD


def test_a_schema_that_is_not_what_was_backed_up_is_not_called_rolled_back(bench: Bench) -> None:
    """As after a kill inside an autocommit_block, when nobody can tell what was committed."""
    kit, request = bench.ready()
    run = left_open(kit, bench.said.append, "upgrade", {})
    backup = make_backup(run, "a test")
    with closing(sqlite3.connect(bench.file)) as connection:
        connection.execute("CREATE INDEX half ON bookings (topic)")
    way = WayBack(request.project, request.path, (Undo.ROLLBACK, Undo.DOWNGRADE), backup, True)
    error = bring_back(run, way, HandrailError("the run was killed"), None)
    assert isinstance(error, NotBroughtBack)
    assert error.why == (
        "the database stays as it is because a part of the upgrade was committed: the schema is not what was backed up,"
        " and the restore was withheld"
    )


def test_recover_sees_what_a_killed_script_had_committed_by_itself(bench: Bench) -> None:
    """The run is cut as it applies; the index is what the script's autocommit_block had left by then."""
    bench.killed_while_applying()
    with closing(sqlite3.connect(bench.file)) as connection:
        connection.execute("CREATE INDEX half ON bookings (topic)")
    [settled] = bench.recover()
    assert settled.result == "undone"
    assert settled.detail.startswith(
        f"The database was brought back: backup {settled.run_id} was restored; no table has"
    )
    assert bench.content() == OLD
    with closing(sqlite3.connect(bench.file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'half'").fetchall() == []


def test_a_killed_prune_or_stamp_does_not_keep_an_upgrade_from_running(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    kit, _ = bench.ready()
    left_open(kit, bench.said.append, "backup create", {})
    with pytest.raises(PartlyDone):
        bench.run()
    bench.recover()
    left_open(kit, bench.said.append, "backup prune", {})
    left_open(kit, bench.said.append, STAMP, {})
    bench.run()
    assert bench.content() == NEW


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        ("backup create", "it changes nothing in the database, and only a whole backup counts"),
        (
            "backup restore",
            "the database is at a1, as it was or as restored; a table that it put beside may not be whole",
        ),
        (STAMP, "the database is at a1, as it was or as stamped"),
    ],
)
def test_a_killed_run_that_applies_no_revision_is_ended(bench: Bench, command: str, detail: str) -> None:
    kit, _ = bench.ready()
    dead = left_open(kit, bench.said.append, command, {})
    assert bench.recover() == (Settled(dead.id, "cleaned", f"{command} was interrupted: {detail}"),)
    assert bench.recover() == ()


def test_a_restore_waits_until_an_interrupted_upgrade_is_settled(bench: Bench) -> None:
    """Settled after it, the upgrade would be undone by its own backup, over what was restored and written since."""
    bench.killed_while_applying()
    dead = bench.journalled()[-1]
    with closing(sqlite3.connect(bench.file)) as connection:
        connection.execute("CREATE INDEX half ON bookings (topic)")
    kit, _ = bench.ready()
    with pytest.raises(PartlyDone) as raised, overwriting_run(kit, bench.said.append, RESTORE):
        pytest.fail("it was let in")
    assert (raised.value.message, raised.value.why, raised.value.hint) == (
        f"the run {dead.run_id} of {dead.started.at:%Y-%m-%d %H:%M} was interrupted",
        "until it is settled nobody knows whether the database is the old or the new one",
        "handrail recover; to overwrite what it left: handrail recover --keep, then this command again",
    )
    assert bench.recover("keep") == (
        Settled(dead.run_id, "kept", "the database stays as it is, by your decision; it is at a1"),
    )
    with overwriting_run(kit, bench.said.append, RESTORE) as run:
        restore_in_place(run, whole(kit, *find(kit, dead.run_id)))
    with closing(sqlite3.connect(bench.file)) as connection, connection:
        connection.execute("INSERT INTO bookings (id, topic) VALUES (3, 'after the restore')")
    assert bench.recover() == ()
    assert bench.content() == ("a1", [*TOPICS, (3, "after the restore")])


def test_an_interrupted_restore_does_not_keep_the_next_one_from_running(bench: Bench) -> None:
    kit, _ = bench.ready()
    left_open(kit, bench.said.append, RESTORE, {})
    left_open(kit, bench.said.append, STAMP, {})
    with overwriting_run(kit, bench.said.append, RESTORE) as run:
        assert run.id


def test_a_database_that_somebody_moved_on_is_kept_by_decision(bench: Bench) -> None:
    bench.killed_while_applying()
    dead = bench.journalled()[-1].run_id
    with closing(sqlite3.connect(bench.file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'c3'")
    bench.put(Script("c3", "b2"))
    with pytest.raises(NotBroughtBack) as raised:
        bench.recover()
    assert (raised.value.message, raised.value.hint) == (
        f"the database is at c3, where run {dead} never was",
        "when the database is as you want it: handrail recover --keep",
    )
    assert bench.recover("keep") == (
        Settled(dead, "kept", "the database stays as it is, by your decision; it is at c3"),
    )
    assert bench.recover() == ()


def test_a_run_does_not_take_itself_for_a_dead_one_where_files_cannot_be_locked(bench: Bench) -> None:
    bench.run(change=lambda kit: replace(kit, journal=Unlocked(kit.journal, at=1000)))
    assert bench.content() == NEW


@pytest.mark.parametrize("command", ["upgrade", COMMAND])
def test_a_run_that_waits_for_the_lock_is_not_taken_for_a_dead_one(bench: Bench, command: str) -> None:
    """Neither by an upgrade that has the lock, nor by `recover`; what it does when its turn comes stays journalled."""
    kit, request = bench.ready()
    with begun_run(kit, bench.said.append, command, described(request.path)) as waiting:
        assert bench.recover() == ()
        assert bench.said[-1].text == f"run {waiting.id} is still at work: left alone"
        bench.run()
        assert [run.run_id for run in kit.journal.open_runs()] == [waiting.id]
        waiting.end("done")
    assert bench.content() == NEW
