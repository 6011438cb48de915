"""Counts rows for lint's questions, each in a read-only transaction of its own with a bounded statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from handrail.databases.counting import counting_sql
from handrail.databases.postgres.connection import driver
from handrail.databases.postgres.quoting import Query, identifier, qualified
from handrail.facts import Question


def count_rows(query: Query, questions: Iterable[Question], seconds: float) -> Mapping[Question, int]:
    """The answers that could be had. Nobody's work waits: counting takes the lock that every reader takes, and waits
    for it no longer than a moment."""
    answers: dict[Question, int] = {}
    milliseconds = max(1, round(seconds * 1000))
    query(f"SET statement_timeout = {milliseconds}")
    query(f"SET lock_timeout = {min(milliseconds, 100)}")
    query("SET default_transaction_read_only = on")
    schema = str(query("SELECT coalesce(current_schema(), 'public')::text")[0][0])
    for question in questions:
        sql = counting_sql(question, lambda table: qualified(table, schema), identifier)
        with suppress(driver().Error, ValueError):
            answers[question] = int(query(sql)[0][0])
    return answers
