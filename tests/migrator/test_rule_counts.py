"""What rules ask is counted in real databases: the bad cases are errors by the rows that are there, and nothing
without them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from handrail.lint.engine import check, context_of, questions_of
from handrail.lint.finding import Severity
from handrail.lint.rule import Case, Rule
from handrail.lint.rules import RULES
from support.postgres import PostgresServer
from unit.building import path_of, revision

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True

CODES = ("HR-DL101", "HR-DL102", "HR-DL104", "HR-MF102", "HR-MF103", "HR-MF104", "HR-MF105")
COUNTING = [rule for rule in RULES if rule.code in CODES]


def cases_on(engine: str) -> list[object]:
    return [
        pytest.param(rule, case, id=f"{rule.code}: {case.title}")
        for rule in COUNTING
        if engine in getattr(rule, "engines", {"postgresql", "sqlite"})
        for case in rule.BAD
        if case.setup
    ]


def weights(rule: Rule, case: Case, database: Database, engine: str) -> list[Severity]:
    """What the rule says of the case by the catalog and the rows of the database."""
    (source,) = case.sources.values()
    context = context_of(path_of(revision(source)), None, database.facts(), engine=engine)
    questions = questions_of(context, [rule])
    answers = database.count_rows(questions, seconds=5)
    assert questions
    assert set(answers) == set(questions)
    return [finding.severity for finding in check(replace(context, answers=answers), [rule])]


@pytest.mark.parametrize(("rule", "case"), cases_on("postgresql"))
def test_on_postgresql(rule: Rule, case: Case, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    try:
        postgres_server.execute(address, list(case.setup))
        assert Severity.ERROR in weights(rule, case, PostgresDatabase(address), "postgresql")
        tables = [statement.split()[2] for statement in case.setup if statement.startswith("CREATE TABLE")]
        postgres_server.execute(address, [f"DELETE FROM {table}" for table in tables])
        assert Severity.ERROR not in weights(rule, case, PostgresDatabase(address), "postgresql")
    finally:
        postgres_server.drop(address.database)


@pytest.mark.parametrize(("rule", "case"), cases_on("sqlite"))
def test_on_sqlite(rule: Rule, case: Case, tmp_path: Path) -> None:
    file = tmp_path / "local.db"
    with closing(sqlite3.connect(file)) as raw, raw:
        for statement in case.setup:
            raw.execute(statement)
    database = SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=tmp_path / "work")
    assert Severity.ERROR in weights(rule, case, database, "sqlite")
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("DELETE FROM bookings")
    assert Severity.ERROR not in weights(rule, case, database, "sqlite")
