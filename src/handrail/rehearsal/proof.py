"""The result of comparing before and after: one proof per table, and a verdict over all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from handrail.facts import TableName


class Classification(StrEnum):
    UNCHANGED = "unchanged"
    CHANGED_AS_DECLARED = "changed as declared"
    CHANGED_UNDECLARED = "changed though not declared"
    NOT_PROVEN = "not proven"


#: The details of a table that a path makes or takes away.
CREATED, DROPPED = "created", "dropped"


class Method(StrEnum):
    """How a table was compared: every kept value, only its rows' number, or not at all."""

    EXACT = "exact"
    COUNTED = "counted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TableProof:
    """What is known about one table (by its name before; a created one by its name after).

    `details` say what changed, or why it is not proven. `must_be_proven` is False for a table that was deliberately not
    looked at (it is proven elsewhere); then NOT_PROVEN is no failure. `seconds` is what the digests took.
    """

    table: TableName
    classification: Classification
    method: Method
    rows_before: int | None
    rows_after: int | None
    details: tuple[str, ...] = ()
    must_be_proven: bool = True
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_failure(self) -> bool:
        if self.classification is Classification.NOT_PROVEN:
            return self.must_be_proven
        return self.classification is Classification.CHANGED_UNDECLARED

    def line(self) -> str:
        """ "bookings: changed as declared (exact, 2 rows): attendance_status added", "rooms: created as declared"."""
        what = "; ".join(self.details)
        evidence = ", ".join(filter(None, ("" if self.method is Method.NONE else self.method, self._rows())))
        evidence = f" ({evidence})" if evidence else ""
        if self.classification is Classification.CHANGED_AS_DECLARED and what in (CREATED, DROPPED):
            return f"{self.table}: {what} as declared{evidence}"
        return f"{self.table}: {self.classification}{evidence}{': ' if what else ''}{what}"

    def _rows(self) -> str:
        if self.rows_before is None and self.rows_after is None:
            return ""
        if self.rows_before == self.rows_after or None in (self.rows_before, self.rows_after):
            rows = self.rows_after if self.rows_before is None else self.rows_before
            return f"{rows} row{'' if rows == 1 else 's'}"
        return f"{self.rows_before} rows before, {self.rows_after} after"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Proofs of all tables; `problems` concern no single table (views, references, sequences, enums).

    `notes` are no failures, but a reader must know them (a constraint that checks new rows only). `hint` is what to
    type: the comment lines that would declare the changes, with the script to put them in.
    """

    tables: tuple[TableProof, ...]
    problems: tuple[str, ...] = ()
    hint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_lossless(self) -> bool:
        """Nothing changed that was not declared, and all that had to be proven is. See `not_proven` for the rest."""
        return not self.failures

    @property
    def failures(self) -> tuple[str, ...]:
        return (*(table.line() for table in self.tables if table.is_failure), *self.problems)

    @property
    def not_proven(self) -> tuple[TableName, ...]:
        return tuple(table.table for table in self.tables if table.classification is Classification.NOT_PROVEN)

    def table(self, name: TableName) -> TableProof | None:
        return next((table for table in self.tables if table.table == name), None)

    def lines(self) -> tuple[str, ...]:
        """The whole verdict for a reader: a line per table, then what concerns no table, then notes."""
        return (*(table.line() for table in self.tables), *self.problems, *(f"note: {note}" for note in self.notes))

    def summary(self) -> str:
        """ "5 tables unchanged (exact), 1 table changed as declared (exact), 1 table not proven: parts"."""
        kinds = Counter((table.classification, table.method) for table in self.tables)
        parts = [
            f"{_tables(number)} {classification}{'' if method is Method.NONE else f' ({method})'}"
            for (classification, method), number in sorted(kinds.items(), key=lambda item: _rank(*item[0]))
            if classification is not Classification.NOT_PROVEN
        ]
        if self.not_proven:
            names = ", ".join(str(table) for table in self.not_proven)
            parts.append(f"{_tables(len(self.not_proven))} {Classification.NOT_PROVEN}: {names}")
        return ", ".join([*parts, *self.problems]) or "no tables"


def _tables(number: int) -> str:
    return f"{number} table{'' if number == 1 else 's'}"


def _rank(classification: Classification, method: Method) -> tuple[int, int]:
    return list(Classification).index(classification), list(Method).index(method)
