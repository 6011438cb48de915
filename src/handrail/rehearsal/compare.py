"""Compares a database before and after a path with what the path may change, and gives the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from handrail.facts import (
    BrokenReference,
    ColumnCompleteness,
    DatabaseFacts,
    Fingerprint,
    RowWrites,
    TableFacts,
    TableFingerprint,
    TableName,
    WriteActivity,
)
from handrail.rehearsal.completeness import rows_are, unfilled
from handrail.rehearsal.expectation import Expectation, TableExpectation, kept_columns
from handrail.rehearsal.proof import CREATED, DROPPED, Classification, Method, TableProof, Verdict
from handrail.rehearsal.schema import (
    Problem,
    column_problems,
    leftovers,
    object_problems,
    schema_differences,
    sequence_problems,
)
from handrail.rehearsal.suggestion import suggest
from handrail.rehearsal.validity import index_problems, reference_problems, unchecked_notes
from handrail.rehearsal.writes import undeclared

__all__ = ["Classification", "Method", "TableProof", "Verdict", "proven_tables", "verdict", "verdict_live"]


def verdict(  # noqa: PLR0913 - evidence; each is measured by somebody else
    before: Fingerprint,
    after: Fingerprint,
    facts_before: DatabaseFacts,
    facts_after: DatabaseFacts,
    expectation: Expectation,
    broken_before: Sequence[BrokenReference] = (),
    broken_after: Sequence[BrokenReference] = (),
    *,
    completeness: Sequence[ColumnCompleteness] = (),
    writes: Sequence[RowWrites] = (),
) -> Verdict:
    """The exact verdict, where nobody else wrote between before and after.

    A table in neither fingerprint was not meant to be proven here: its schema is compared, its rows are not. `writes`
    are the rows that the scripts' own session wrote; it must have declared them, whatever digests say.
    """
    seen = _Seen(before, after, facts_before, facts_after, expectation, completeness, writes)
    return _verdict(seen, seen, broken_before, broken_after)


def verdict_live(  # noqa: PLR0913 - evidence by name; each is measured by somebody else
    *,
    before: Fingerprint,
    after: Fingerprint,
    facts_before: DatabaseFacts,
    facts_after: DatabaseFacts,
    rehearsed: DatabaseFacts | None,
    expectation: Expectation,
    exact: Iterable[TableName] = (),
    activity_before: WriteActivity,
    activity_after: WriteActivity,
    maintenance: bool = False,
    broken_before: Sequence[BrokenReference] = (),
    broken_after: Sequence[BrokenReference] = (),
    completeness: Sequence[ColumnCompleteness] = (),
    writes: Sequence[RowWrites] = (),
) -> Verdict:
    """The verdict on a live database to which others write.

    `exact` are tables (by their name before) that were proven inside a transaction: see `proven_tables`.
    Where digests differ, statistics decide: with no write recorded it is a loss; with writes that explain the number
    of rows the table is UNCHANGED, COUNTED. `maintenance`: writers are stopped, so everything must be exact.
    `rehearsed` is the catalog with which the rehearsal ended.
    """
    seen = _Seen(before, after, facts_before, facts_after, expectation, completeness, writes)
    live = _Live(seen, frozenset(exact), _Writes(activity_before, activity_after), maintenance)
    result = _verdict(seen, live, broken_before, broken_after)
    differences = () if rehearsed is None else tuple(schema_differences(rehearsed, facts_after))
    return replace(result, problems=(*result.problems, *differences))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the comparison of a table's rows found; `problem` is "" when nothing is wrong."""

    method: Method
    problem: str = ""
    remark: str = ""
    is_proven: bool = True
    must_be_proven: bool = True


@dataclass(frozen=True, slots=True)
class _Seen:
    """Both sides of the comparison."""

    before: Fingerprint
    after: Fingerprint
    facts_before: DatabaseFacts
    facts_after: DatabaseFacts
    expectation: Expectation
    completeness: Sequence[ColumnCompleteness]
    writes: Sequence[RowWrites]

    def pair(self, expected: TableExpectation) -> tuple[TableFingerprint | None, TableFingerprint | None]:
        one = None if expected.before is None else self.before.table(expected.before)
        return one, None if expected.after is None else self.after.table(expected.after)

    def unfilled(self, expected: TableExpectation) -> tuple[list[Problem], list[str]]:
        """Added columns that are not filled as they should be; and what is only to be remarked."""
        return [problem for problem, _ in unfilled(expected, self.facts_after, self.completeness)], []

    def written(self, expected: TableExpectation) -> RowWrites | None:
        """What the scripts' own session wrote to a table."""
        return next((written for written in self.writes if written.table == expected.after), None)

    def undeclared(self, expected: TableExpectation) -> str:
        """What of it nobody declared, in words."""
        return undeclared(self.written(expected), expected)

    def rows(self, table: TableFacts, expected: TableExpectation) -> _Rows:
        """Compare the rows of a surviving table; a write that nobody declared is a problem also when they are equal."""
        found = self._compared(table, expected)
        return found if found.problem else replace(found, problem=self.undeclared(expected))

    def _compared(self, table: TableFacts, expected: TableExpectation) -> _Rows:
        """Every value of the kept columns where there are any."""
        one, other = self.pair(expected)
        if expected.rows_declared:
            return _Rows(Method.NONE, remark="rows may change as declared")
        if one is None and other is None:
            return _Rows(Method.NONE, remark="not looked at here", is_proven=False, must_be_proven=False)
        if one is None or other is None or self.before.algorithm != self.after.algorithm:
            return _Rows(Method.NONE, remark="before and after cannot be compared", is_proven=False)
        if expected.rows_added:
            gone = one.rows - other.rows
            return _Rows(Method.COUNTED, f"{rows_are(gone)} gone though the scripts only insert" if gone > 0 else "")
        return _compare_rows(one, other, table, expected)


def _compare_rows(
    one: TableFingerprint, other: TableFingerprint, table: TableFacts, expected: TableExpectation
) -> _Rows:
    kept = kept_columns(expected, table)
    difference = other.rows - one.rows
    if difference:
        word = "new" if difference > 0 else "gone"
        return _Rows(
            Method.EXACT if kept else Method.COUNTED,
            f"{rows_are(abs(difference))} {word} ({one.rows} before, {other.rows} after)",
        )
    if not kept:
        return _Rows(Method.COUNTED, remark="no column is kept, so rows are only counted")
    old, new = one.digest(kept), other.digest(tuple(expected.name_after(column) for column in kept))
    if old is None or new is None:
        return _Rows(Method.COUNTED, remark="no digest over the kept columns was taken", is_proven=False)
    return _Rows(
        Method.EXACT, "" if old == new else f"values changed in {'one of ' if len(kept) > 1 else ''}{', '.join(kept)}"
    )


class _Judge(Protocol):
    """Compares the content of a table that survives: exactly, or knowing that others write."""

    def rows(self, table: TableFacts, expected: TableExpectation) -> _Rows: ...

    def unfilled(self, expected: TableExpectation) -> tuple[list[Problem], list[str]]: ...


def _verdict(
    seen: _Seen, judge: _Judge, broken_before: Sequence[BrokenReference], broken_after: Sequence[BrokenReference]
) -> Verdict:
    objects = [
        *object_problems(seen.facts_before, seen.facts_after, seen.expectation),
        *index_problems(seen.facts_before, seen.facts_after, seen.expectation),
        *sequence_problems(seen.before, seen.after, seen.facts_before, seen.facts_after, seen.expectation),
    ]
    known = {table.name for table in seen.facts_before.tables}
    proofs, problems = [], [problem for problem in objects if problem.table not in known]
    for table in seen.facts_before.tables:
        expected = seen.expectation.of(table.name)
        own = [problem for problem in objects if problem.table == table.name]
        proof, found = _prove(seen, table, expected, judge, own)
        proofs.append(proof)
        problems.extend(found)
    proofs.extend(_created(seen))
    broken = tuple(reference_problems(broken_before, broken_after, seen.expectation))
    general = tuple(problem.text for problem in problems if problem.table not in known)
    left = leftovers(seen.facts_before, seen.facts_after) if seen.expectation.returns else ()
    return Verdict(
        tables=tuple(proofs),
        problems=(*general, *broken, *left),
        notes=unchecked_notes(seen.facts_before, seen.facts_after, seen.expectation),
        hint=suggest(problems, seen.expectation, seen.facts_before.tables),
    )


def _prove(
    seen: _Seen, table: TableFacts, expected: TableExpectation, judge: _Judge, own: list[Problem]
) -> tuple[TableProof, list[Problem]]:
    """The proof of one table that was there before, and its undeclared changes."""
    after = None if expected.after is None else seen.facts_after.table(expected.after)
    one, other = seen.pair(expected)
    counts = (None if one is None else one.rows, None if other is None else other.rows)
    if after is None:
        is_declared = expected.after is None or expected.may_vanish
        gone = [] if is_declared else [Problem(table.name, "the table is gone", is_loss=True)]
        kind = Classification.CHANGED_AS_DECLARED if is_declared else Classification.CHANGED_UNDECLARED
        return TableProof(
            table.name, kind, Method.NONE, counts[0], None, (DROPPED if is_declared else "the table is gone",)
        ), gone
    rows = judge.rows(table, expected)
    not_filled, more = judge.unfilled(expected)
    problems = [*column_problems(table, after, expected), *own, *not_filled]
    if rows.problem:
        problems.insert(0, Problem(table.name, rows.problem))
    kind = _classify(problems, rows, expected)
    remarks = [text for text in (*_declared(expected), rows.remark, *more) if text]
    details = tuple(problem.text for problem in problems) or tuple(remarks)
    seconds = sum(side.seconds for side in (one, other) if side is not None)
    return TableProof(table.name, kind, rows.method, *counts, details, rows.must_be_proven, seconds), problems


def _classify(problems: Sequence[Problem], rows: _Rows, expected: TableExpectation) -> Classification:
    if problems:
        return Classification.CHANGED_UNDECLARED
    if not rows.is_proven:
        return Classification.NOT_PROVEN
    return Classification.CHANGED_AS_DECLARED if expected.is_touched else Classification.UNCHANGED


def _declared(expected: TableExpectation) -> Iterator[str]:
    """What the scripts declared about a table, in words."""
    if expected.before != expected.after:
        yield f"renamed to {expected.after}"
    for old, new in expected.renamed:
        yield f"{old} renamed to {new}"
    groups = (
        ("added", expected.added),
        ("dropped", expected.dropped),
        ("altered", expected.altered | expected.attributes),
    )
    for word, columns in groups:
        if columns:
            yield f"{word} {', '.join(sorted(columns))}"
    if expected.declared | expected.vanishing:
        yield f"may change: {', '.join(sorted(expected.declared | expected.vanishing))}"


def _created(seen: _Seen) -> Iterator[TableProof]:
    survivors = {seen.expectation.of(table.name).after for table in seen.facts_before.tables}
    for table in seen.facts_after.tables:
        if table.name not in survivors:
            found = seen.after.table(table.name)
            rows = None if found is None else found.rows
            yield TableProof(table.name, Classification.CHANGED_AS_DECLARED, Method.NONE, None, rows, (CREATED,))


@dataclass(frozen=True, slots=True)
class _Writes:
    """What others wrote between two readings of the statistics: all writes but those of the scripts' own session."""

    before: WriteActivity
    after: WriteActivity

    def of(self, expected: TableExpectation, own: RowWrites | None) -> tuple[int, int, int] | None:
        """Rows inserted, updated, deleted; None when the statistics do not know the table."""
        if expected.before is None or expected.after is None:
            return None
        now = self.after.writes.get(expected.after, self.after.writes.get(expected.before))
        then = self.before.writes.get(expected.before)
        if now is None or then is None or any(new < old for new, old in zip(now, then, strict=True)):
            return None
        mine = (own.inserted, own.updated, own.deleted) if own is not None else (0, 0, 0)
        inserted, updated, deleted = (max(0, new - old - my) for new, old, my in zip(now, then, mine, strict=True))
        return inserted, updated, deleted


@dataclass(frozen=True, slots=True)
class _Live:
    """Compares rows where others go on writing."""

    seen: _Seen
    proven: frozenset[TableName]
    writes: _Writes
    maintenance: bool

    def rows(self, table: TableFacts, expected: TableExpectation) -> _Rows:
        if expected.before in self.proven:
            return _Rows(Method.EXACT, self.seen.undeclared(expected), remark="proven inside the transaction")
        found = self.seen.rows(table, expected)
        if self.maintenance or self.seen.undeclared(expected):
            return replace(found, must_be_proven=True)
        if expected.rows_declared or (found.is_proven and not found.problem):
            return found
        return self._explained(found, expected)

    def unfilled(self, expected: TableExpectation) -> tuple[list[Problem], list[str]]:
        """Others may have filled rows otherwise since the column is there; what was proven inside is left alone."""
        if expected.before in self.proven:
            return [], []
        written = None if self.maintenance else self.writes.of(expected, self.seen.written(expected))
        problems, remarks = [], []
        for problem, number in unfilled(expected, self.seen.facts_after, self.seen.completeness):
            if written is not None and number <= written[0] + written[1]:
                remarks.append(f"{problem.text} ({_total(written)})")
            else:
                problems.append(problem)
        return problems, remarks

    def _explained(self, found: _Rows, expected: TableExpectation) -> _Rows:
        """Digests differ or are missing: do the writes of others explain it?"""
        one, other = self.seen.pair(expected)
        written = self.writes.of(expected, self.seen.written(expected))
        if one is None or other is None:
            return found
        if written is None:
            return _Rows(
                Method.NONE,
                remark=f"no statistics of writes by others; {found.problem or found.remark}",
                is_proven=False,
            )
        inserted, _, deleted = written
        total = _total(written)
        difference = other.rows - one.rows
        if found.problem and not any(written):
            return replace(found, problem=f"{found.problem}, and the statistics know of no write by others")
        if not -deleted <= difference <= inserted:
            return _Rows(Method.COUNTED, f"{one.rows} rows before, {other.rows} after, but {total}")
        return _Rows(Method.COUNTED, remark=total if any(written) else found.remark)


def _total(written: tuple[int, int, int]) -> str:
    return "others inserted {}, updated {}, deleted {} meanwhile".format(*written)


def proven_tables(verdicts: Mapping[str, Verdict]) -> frozenset[TableName]:
    """Tables that the verdicts given inside transactions found exact, by their names before."""
    return frozenset(
        table.table
        for judged in verdicts.values()
        for table in judged.tables
        if table.method is Method.EXACT and not table.is_failure
    )
