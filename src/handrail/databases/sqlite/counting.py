"""Counts rows for lint's questions, and gives up when a question takes too long."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from handrail.databases.counting import counting_sql
from handrail.databases.sqlite.catalog import quoted
from handrail.databases.sqlite.rows import own_cursor
from handrail.facts import Question

#: How many steps of SQLite's machine lie between two looks at the clock.
_STEPS = 10_000


def bound(raw: sqlite3.Connection, seconds: float) -> None:
    """Interrupt what is executed from now on when that time is over (sqlite3.OperationalError: interrupted)."""
    ends = time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)


def count_rows(raw: sqlite3.Connection, questions: Iterable[Question], seconds: float) -> Mapping[Question, int]:
    """The answers that could be had. What a condition calls may not write."""
    answers: dict[Question, int] = {}
    raw.execute("PRAGMA query_only=ON").close()
    try:
        for question in questions:
            bound(raw, seconds)
            sql = counting_sql(question, lambda table: quoted(table.name), quoted)
            with suppress(sqlite3.Error, ValueError):
                answers[question] = int(own_cursor(raw).execute(sql).fetchone()[0])
    finally:
        raw.set_progress_handler(None, 0)
        raw.execute("PRAGMA query_only=OFF").close()
    return answers
