"""The SQL of a question about rows, for any engine: only names are quoted by the engine's own rules."""

# ruff: noqa: S608 - names are quoted by the caller's functions, the condition is the question itself

from __future__ import annotations

from collections.abc import Callable

from handrail.facts import Question, TableName


def counting_sql(question: Question, table: Callable[[TableName], str], column: Callable[[str], str]) -> str:
    """A SELECT of one number."""
    where = table(question.table)
    names = [column(name) for name in question.columns]
    given = " AND ".join(f"q.{name} IS NOT NULL" for name in names)
    if question.duplicates:
        groups = ", ".join(f"q.{name}" for name in names)
        return (
            "SELECT coalesce(sum(n), 0) FROM"
            f" (SELECT count(*) AS n FROM {where} AS q WHERE {given} GROUP BY {groups} HAVING count(*) > 1) AS found"
        )
    if question.parent is not None:
        there = (column(name) for name in question.parent_columns or question.columns)
        pairs = " AND ".join(f"p.{other} = q.{name}" for other, name in zip(there, names, strict=True))
        parent = table(question.parent)
        return (
            f"SELECT count(*) FROM {where} AS q WHERE {given}"
            f" AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {pairs})"
        )
    return f"SELECT count(*) FROM {where} AS q WHERE ({question.condition})"
