"""A finding: what a rule saw in a script, why it matters, and the corrected code."""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """How bad a finding is. The order of the members is the order of weight."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def weight(self) -> int:
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to put in place of a piece of a script: lines count from 1, columns are UTF-8 bytes from 0, as in `ast`."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class NextRevision:
    """A revision that has to follow the repaired script: what it does ("fill bookings.seats") and what its script says.

    `upgrade` and `downgrade` are the lines of the functions, `head` blocks of text above them (markers, constants,
    helpers). `todo` is what a person has to write into the script before it can run on rows, "" for nothing.
    """

    message: str
    upgrade: str
    downgrade: str
    head: tuple[str, ...] = ()
    todo: tuple[str, ...] = ()


class Split(Protocol):
    """What a repair does in revisions of their own, as a value. Those of one class in one script are done together."""

    def together(self, others: Sequence[Split], engines: frozenset[str]) -> tuple[NextRevision, ...]:
        """The revisions, oldest first, that do this and what the others (of the same class) do, on all these engines;
        () when it cannot be done on one of them."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `message` says what is wrong, `why` what it would do to the database.

    `fix_hint` is the corrected code (or what to type), `edits` the same as exact edits where there is one. `revisions`
    have to follow the script when the edits are made, which alone would be half of the repair; `split` makes them, for
    several findings at once.
    `source` says how it was found: "static" from the text, later "rehearsed" from a run. `is_suggestion`: the edits
    hold a value that a person has to choose, or are right only if a person says so, so nobody makes them unasked.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    column: int
    message: str
    why: str
    fix_hint: str = ""
    edits: tuple[Edit, ...] = field(default=(), compare=False)
    source: str = "static"
    is_suggestion: bool = field(default=False, compare=False)
    revisions: tuple[NextRevision, ...] = field(default=(), compare=False)
    split: Split | None = field(default=None, compare=False, repr=False)

    @property
    def is_repairable(self) -> bool:
        """Whether its edits may be made without asking anybody."""
        return bool(self.edits) and not self.is_suggestion

    def __post_init__(self) -> None:
        """Names in a script may hold lone surrogates, which no output takes: they are shown as an escape."""
        for field_name in ("message", "fix_hint"):
            text: str = getattr(self, field_name)
            if not text.isascii():
                object.__setattr__(self, field_name, text.encode(errors="backslashreplace").decode())

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        return f"{where}{self.severity} {self.rule} {self.message}"

    def lines(self) -> tuple[str, ...]:
        """The finding for a reader: what and where, why it matters, what to write instead."""
        hint = [f"  write: {self.fix_hint}"] if self.fix_hint and self.fix_hint not in self.message else []
        return (str(self), f"  why: {self.why}", *hint)


def remaining(findings: Sequence[Finding], level: str) -> tuple[Finding, ...]:
    """The findings that stop a run whose level is `level`: those at least as severe; "off" stops for nothing."""
    if level == "off":
        return ()
    least = Severity(level).weight
    return tuple(finding for finding in findings if finding.severity.weight >= least)


def source_line(source: str, number: int) -> str:
    """A line by its number as `ast` counts: only line feeds and carriage returns end one. "" when there is none."""
    lines = _lines(source)
    return lines[number - 1].decode(errors="replace").rstrip("\r\n") if 0 < number <= len(lines) else ""


def source_text(source: str, node: ast.expr | ast.stmt | ast.keyword) -> str:
    """What a node is written as; as `ast.get_source_segment`, which cuts the whole text into lines at each call."""
    lines = _lines(source)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    begin, end = node.col_offset, node.end_col_offset or 0
    if last >= len(lines):
        return ""
    if first == last:
        return lines[first][begin:end].decode(errors="replace")
    parts = [lines[first][begin:], *lines[first + 1 : last], lines[last][:end]]
    return b"".join(parts).decode(errors="replace")


@functools.lru_cache(maxsize=16)
def _lines(source: str) -> tuple[bytes, ...]:
    """The lines with their ends; the rules ask for those of one script again and again."""
    return tuple(source.encode(errors="surrogateescape").splitlines(keepends=True))


def apply_edits(source: str, edits: Sequence[Edit]) -> str:
    """The source with the edits made (they must not overlap); new lines end as those of the source do."""
    data = source.encode()
    starts = [0]
    lines = _lines(source)
    is_dos = bool(lines) and lines[0].endswith(b"\r\n")
    for line in lines:
        starts.append(starts[-1] + len(line))
    for edit in sorted(edits, key=lambda edit: (edit.line, edit.column), reverse=True):
        begin, end = starts[edit.line - 1] + edit.column, starts[edit.end_line - 1] + edit.end_column
        text = edit.text.replace("\n", "\r\n") if is_dos else edit.text
        data = data[:begin] + text.encode() + data[end:]
    return data.decode()
