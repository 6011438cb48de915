"""Says how to declare a change: the comment line to add, and the script whose raw SQL made it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from handrail.facts import TableFacts, TableName
from handrail.migrations.declarations import marker
from handrail.rehearsal.expectation import Expectation, RawStatement
from handrail.rehearsal.schema import Problem, identifiers

_SET = re.compile(r"\bset\b(.*?)(?:\bwhere\b|\bfrom\b|\breturning\b|$)", re.IGNORECASE | re.DOTALL)


def suggest(problems: Iterable[Problem], expectation: Expectation, tables: Iterable[TableFacts]) -> str:
    """What to type when the changes are meant; "" when there is nothing that a declaration could cover."""
    known = {table.name: table for table in tables}
    lines: dict[str, None] = {}
    for problem in problems:
        if problem.names:
            lines[_object_line(problem)] = None
        elif problem.table is not None:
            lines.update(dict.fromkeys(_lines(problem, problem.table, expectation, known.get(problem.table))))
    return "\n".join(lines)


def _object_line(problem: Problem) -> str:
    """An index, constraint, trigger or view is put back, or declared by its own name; that leaves rows proven."""
    name = problem.names[0]
    again = f"create {name} again in the script, or, " if problem.is_loss else ""
    return f"{again}if this is meant, say so in the script with the comment line: {marker(TableName(name))}"


def _lines(problem: Problem, name: TableName, expectation: Expectation, table: TableFacts | None) -> Iterable[str]:
    verb = "drops" if problem.is_loss else "changes"
    after = expectation.of(name).after or name
    names = {name.name, after.name}
    statements = [raw for raw in expectation.raw if names & identifiers(raw.sql)]
    if not statements:
        yield f"if this is meant, say so in the script with the comment line: {marker(name, problem.column, verb=verb)}"
    for raw in statements:
        columns = [problem.column] if problem.column else _columns_set(raw, table)
        place = f"{raw.position.path or raw.revision}:{raw.position.line}"
        for column in columns or [None]:
            yield f"if this is meant, add to {place} the comment line: {marker(name, column, verb=verb)}"


def _columns_set(raw: RawStatement, table: TableFacts | None) -> list[str | None]:
    """The columns that an UPDATE names after SET, as a suggestion only; nothing for any other statement."""
    if table is None or "update" not in raw.sql[:40].lower():
        return []
    match = _SET.search(raw.sql)
    words = identifiers(match.group(1)) if match else set()
    return [column for column in table.column_names() if column in words]
