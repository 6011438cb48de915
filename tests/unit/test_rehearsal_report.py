"""What a rehearsal's report concludes from its runs and verdicts."""

from __future__ import annotations

from dataclasses import replace

from handrail.facts import HeldLock, TableName
from handrail.migrations.operations import RevisionRun, SourcePosition, StatementRun
from handrail.rehearsal.proof import Classification, Method, TableProof, Verdict
from handrail.rehearsal.report import LockHeld, RehearsalReport, locks_for_proof, summarise
from unit.building import path_of, revision

BOOKINGS, USERS, LOGS = TableName("bookings"), TableName("users"), TableName("logs")


def statement(seconds: float, *locks: HeldLock, rewritten: tuple[TableName, ...] = (), line: int = 1) -> StatementRun:
    return StatementRun("r1", SourcePosition("versions/r1.py", line), "…", seconds, -1, locks, rewritten)


RUN = RevisionRun(
    "r1",
    "upgrade",
    3.5,
    (),
    (
        statement(0.5, HeldLock(USERS, "AccessShare"), line=4),
        statement(1.0, HeldLock(BOOKINGS, "AccessExclusive"), rewritten=(BOOKINGS,), line=5),
        statement(2.0, HeldLock(USERS, "ShareRowExclusive"), HeldLock(LOGS, "Share"), line=6),
    ),
)


def proof(table: TableName, seconds: float, kind: Classification = Classification.UNCHANGED) -> TableProof:
    return TableProof(table, kind, Method.EXACT, 5, 5, seconds=seconds)


GOOD = Verdict((proof(BOOKINGS, 0.2), proof(LOGS, 4.0), proof(USERS, 0.3)))
BAD = Verdict((proof(BOOKINGS, 0.2, Classification.CHANGED_UNDECLARED),))
PATH = path_of(revision(id_="r1"))


def test_a_lock_is_held_to_the_end_of_the_transaction() -> None:
    report = summarise(PATH, [RUN], GOOD, verdict_back=GOOD)
    assert report.locks == (
        LockHeld("r1", USERS, "AccessShare", 3.5, SourcePosition("versions/r1.py", 4)),
        LockHeld("r1", BOOKINGS, "AccessExclusive", 3.0, SourcePosition("versions/r1.py", 5)),
        LockHeld("r1", LOGS, "Share", 2.0, SourcePosition("versions/r1.py", 6)),
        LockHeld("r1", USERS, "ShareRowExclusive", 2.0, SourcePosition("versions/r1.py", 6)),
    )
    assert [lock.blocks_writes for lock in report.locks] == [False, True, True, True]


def test_the_report_for_a_reader() -> None:
    assert summarise(PATH, [RUN], GOOD, verdict_back=GOOD, verdict_again=GOOD).lines() == (
        "1 revision in 3.50 s",
        "3 tables unchanged (exact)",
        "downgrade proven",
        "writes wait: bookings: AccessExclusive for 3.00 s (versions/r1.py:5)",
        "writes wait: logs: Share for 2.00 s (versions/r1.py:6)",
        "writes wait: users: ShareRowExclusive for 2.00 s (versions/r1.py:6)",
        "rewritten: bookings",
    )


def test_when_a_downgrade_is_proven() -> None:
    failure = "bookings: changed though not declared (exact, 5 rows)"
    cases = {
        "": summarise(PATH, [RUN], GOOD, verdict_back=GOOD, verdict_again=GOOD),
        "the way back was not tried": summarise(PATH, [RUN], GOOD),
        "downgrade() raised": summarise(PATH, [RUN], GOOD, reason="downgrade() raised"),
        f"the way back does not lead to the start: {failure}": summarise(PATH, [RUN], GOOD, verdict_back=BAD),
        f"the second upgrade ends elsewhere: {failure}": summarise(
            PATH, [RUN], GOOD, verdict_back=GOOD, verdict_again=BAD
        ),
    }
    for reason, report in cases.items():
        assert (report.reason, report.downgrade_proven) == (reason, not reason)


def test_tables_to_prove_are_locked_anyway_and_fit_the_budget() -> None:
    """Digests of 0.2, 0.3 and 4 s; bookings is locked by the statement at 0.5 s, the others by the one at 1.5 s."""
    report = RehearsalReport(PATH, (RUN,), GOOD)
    bookings, logs = HeldLock(BOOKINGS, "AccessExclusive"), HeldLock(LOGS, "Share")
    users = HeldLock(USERS, "ShareRowExclusive")
    chosen = {budget: locks_for_proof(report, "r1", budget) for budget in (0.69, 0.7, 1.99, 2.0, 5.99, 6.0)}
    assert chosen == {
        0.69: (),
        0.7: (bookings,),
        1.99: (bookings,),
        2.0: (bookings, users),
        5.99: (bookings, users),
        6.0: (bookings, logs, users),
    }
    assert locks_for_proof(report, "other", 10.0) == ()


def test_a_table_to_prove_is_locked_at_once_in_its_strongest_mode() -> None:
    """Taking the weaker lock first makes a deadlock with a session that has read the table and writes to it."""
    statements = tuple(
        statement(0.25, HeldLock(BOOKINGS, mode))
        for mode in ("AccessShare", "RowExclusive", "Share", "AccessExclusive", "Exclusive")
    )
    report = RehearsalReport(PATH, (replace(RUN, statements=statements),), GOOD)
    assert locks_for_proof(report, "r1", 0.94) == ()
    assert locks_for_proof(report, "r1", 0.95) == (HeldLock(BOOKINGS, "AccessExclusive"),)
