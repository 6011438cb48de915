"""Judging what a rehearsal ran: every statement, whatever loops and helpers it came from, by the same rules."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from handrail.facts import TableName
from handrail.lint.engine import judge
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations import changes
from handrail.migrations.changes import Change, Place
from handrail.migrations.operations import RevisionRun, StatementRun
from handrail.migrations.reading import FunctionReading, ScriptReading
from handrail.migrations.sql_changes import read_sql
from handrail.migrations.values import call_name

#: Rules that judge the text of a script, not what it does; the text has been judged already.
_OF_TEXT = ("HR-PR",)
_COPY = "_alembic_tmp_"


def rehearsed(
    context: LintContext, runs: Sequence[RevisionRun], settings: LintSettings, told: Iterable[Finding]
) -> tuple[Finding, ...]:
    """The findings about what ran that were not told of the text already, and those told with what was measured.

    A finding is the same when rule, file and line are."""
    by_id = {script.revision.id: script for script in context.scripts}
    readings = tuple(_reading(by_id[run.revision], run) for run in runs if run.revision in by_id)
    found = judge(replace(context, scripts=readings), settings)
    measured = {(run.position.path, run.position.line): _measured(run) for one in runs for run in one.statements}
    known = {(one.rule, one.file, one.line) for one in told}
    static = (_with(one, measured) for one in told)
    new = (
        _with(replace(one, source="rehearsed", edits=()), measured)
        for one in found
        if (one.rule, one.file, one.line) not in known and not one.rule.startswith(_OF_TEXT)
    )
    places = {script.revision.path: place for place, script in enumerate(context.scripts)}
    both = dict.fromkeys((*static, *new))
    return tuple(sorted(both, key=lambda one: (places.get(one.file, -1), one.line, one.column, one.rule)))


def _with(finding: Finding, measured: dict[tuple[str, int], str]) -> Finding:
    text = measured.get((finding.file, finding.line))
    return replace(finding, why=f"{finding.why} Rehearsed: {text}.") if text else finding


def _measured(run: StatementRun) -> str:
    """ "0.52 s, AccessExclusive on bookings, bookings rewritten"; "" when it took no lock that keeps others waiting."""
    locks = [f"{lock.mode} on {lock.table}" for lock in run.locks if "Exclusive" in lock.mode or lock.mode == "Share"]
    rewritten = [f"{table} rewritten" for table in run.rewritten]
    return ", ".join([f"{run.seconds:.2f} s", *locks, *rewritten]) if locks or rewritten else ""


def _reading(script: ScriptReading, run: RevisionRun) -> ScriptReading:
    """The script as it ran."""
    found = tuple(_changes(run, _autocommit_lines(script)))
    body = FunctionReading(changes=found)
    return ScriptReading(script.revision, body, body)


def _changes(run: RevisionRun, outside: frozenset[tuple[str, int]]) -> Iterator[Change]:
    copied: set[TableName] = set()
    for statement in run.statements:
        at = (statement.position.path, statement.position.line)
        place = Place(run.revision, *at, in_autocommit=at in outside)
        for change in read_sql(statement.sql, place):
            if not _is_of_copy(change, copied):
                # What is refused inside a transaction, and ran, was in none.
                is_free = getattr(change, "is_concurrent", False) and not place.in_autocommit
                yield replace(change, place=replace(change.place, in_autocommit=True)) if is_free else change


def _autocommit_lines(script: ScriptReading) -> frozenset[tuple[str, int]]:
    """Where the script leaves its transaction: the lines of its autocommit blocks, and of what is called in them."""
    path = script.revision.path
    called = [one.place for body in (script.upgrade, script.downgrade) for one in body.changes]
    lines = {(place.path, place.line) for place in called if place.in_autocommit}
    for node in ast.walk(ast.parse(script.revision.source)):
        if isinstance(node, ast.With) and any(call_name(one.context_expr) == "autocommit_block" for one in node.items):
            lines |= {(path, line) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return frozenset(lines)


def _is_of_copy(change: Change, copied: set[TableName]) -> bool:
    """Whether it is part of batch mode's copying of a table on SQLite: made, filled, put in the old one's place."""
    table = getattr(change, "table", None)
    if not isinstance(table, TableName):
        return False
    if table.name.startswith(_COPY):
        copied.add(TableName(table.name.removeprefix(_COPY), table.schema))
        return True
    return isinstance(change, changes.DropTable) and table in copied
