"""Every lint rule's cases on real databases: the bad ones do the harm that the rule tells of, the good ones do not."""

from __future__ import annotations

import functools
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress, Fingerprint, TableName
from handrail.lint.rule import Case, Harm, Rule
from handrail.lint.rules import RULES
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import Direction, Revision, RevisionPath
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.forkserver import ForkServer
from handrail.migrator.migrator import Limits, MigrationFailed
from support.postgres import PostgresServer
from support.projects import SYNC_ENV, make_project

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True

LIMITS = Limits(lock_timeout=0.5, lock_retry=2, statement_timeout=30)
STAMP = ("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",)
#: Cases of one script each; those of whole histories are judged without running them.
CASES = [
    (rule, case, is_bad)
    for rule in RULES
    for is_bad, cases in ((True, rule.BAD), (False, rule.GOOD))
    for case in cases
    if case.setup
]


def cases_on(engine: str) -> list[object]:
    """The cases of rules that speak of this engine."""
    return [
        pytest.param(rule, case, is_bad, id=f"{rule.code}: {case.title}")
        for rule, case, is_bad in CASES
        if engine in getattr(rule, "engines", {"postgresql", "sqlite"})
    ]


@functools.cache
def fork_server() -> ForkServer | None:
    """One for all cases, which differ in their projects only: starting one is most of what a case costs."""
    return ForkServer() if sys.platform == "linux" else None


def run_case(folder: Path, url: str, case: Case, address: DatabaseAddress) -> tuple[RevisionRun, ...] | str:
    """Run the case's scripts as one revision after the other, observed as a rehearsal is; what they did, or why they
    failed."""
    make_project(folder, url=url, env=SYNC_ENV)
    revisions, before = [], None
    for number, source in enumerate(case.sources.values()):
        id_ = f"r{number}"
        path = folder / "migrations" / "versions" / f"{id_}.py"
        down = "def downgrade():\n    pass\n" if "def downgrade" not in source else ""
        path.write_text(f"{source}\n\n{down}\nrevision = {id_!r}\ndown_revision = {before!r}\n")
        revisions.append(Revision(id_, (before,) if before else (), "", str(path), source))
        before = id_
    path_to_run = RevisionPath(Direction.UPGRADE, (), (revisions[-1].id,), tuple(revisions))
    try:
        return AlembicMigrator(folder, server=fork_server()).run(path_to_run, on=address, limits=LIMITS).runs
    except MigrationFailed as error:
        return f"{error.message}: {error.why}"


def prints(database: Database, harm: Harm) -> Fingerprint | None:
    table = TableName(harm.table)
    known = database.facts().table(table) if harm.loses else None
    return (
        None
        if known is None
        else database.fingerprint({table: ((known.column_names()[0],), *((name,) for name in known.column_names()))})
    )


def shown(harm: Harm, runs: tuple[RevisionRun, ...] | str, before: Fingerprint | None, database: Database) -> list[str]:
    """The parts of the harm that were not observed."""
    missing = []
    if isinstance(runs, str):
        return [] if harm.fails and harm.fails in runs else [f"it failed otherwise: {runs}"]
    statements = [statement for run in runs for statement in run.statements]
    if harm.fails:
        missing.append(f"it did not fail with {harm.fails}")
    if harm.lock and not any(
        lock.mode == harm.lock and lock.table.name == harm.table for one in statements for lock in one.locks
    ):
        missing.append(f"no {harm.lock} on {harm.table}: {[one.locks for one in statements]}")
    if harm.rewrites and not any(table.name == harm.table for one in statements for table in one.rewritten):
        missing.append(f"{harm.table} was not rewritten")
    if harm.loses and before is not None and prints(database, harm) == before:
        missing.append(f"{harm.table} holds what it held")
    return missing


def observe(rule: Rule, case: Case, is_bad: bool, folder: Path, url: str, database: Database) -> None:
    harm = case.harm or Harm()
    before = prints(database, harm)
    runs = run_case(folder, url, case, database.address)
    if is_bad:
        assert case.harm is None or shown(harm, runs, before, database) == []
        return
    assert not isinstance(runs, str), runs
    done = [one for run in runs for one in run.statements]
    held = {(lock.table.name, lock.mode) for one in done for lock in one.locks}
    rewritten = {table.name for one in done for table in one.rewritten}
    for bad in [bad.harm for bad in rule.BAD if bad.harm is not None and bad.setup == case.setup]:
        assert not bad.lock or (bad.table, bad.lock) not in held
        assert not bad.rewrites or bad.table not in rewritten


@pytest.mark.parametrize(("rule", "case", "is_bad"), cases_on("postgresql"))
def test_on_postgresql(rule: Rule, case: Case, is_bad: bool, tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    postgres_server.execute(address, [*STAMP, *case.setup])
    url = f"postgresql+psycopg://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    try:
        observe(rule, case, is_bad, tmp_path, url, PostgresDatabase(address))
    finally:
        postgres_server.drop(address.database)


@pytest.mark.parametrize(("rule", "case", "is_bad"), cases_on("sqlite"))
def test_on_sqlite(rule: Rule, case: Case, is_bad: bool, tmp_path: Path) -> None:
    file = tmp_path / "local.db"
    with closing(sqlite3.connect(file)) as raw, raw:
        for statement in (*STAMP, *case.setup):
            raw.execute(statement)
    database = SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=tmp_path / "work")
    observe(rule, case, is_bad, tmp_path, "sqlite:///local.db", database)
