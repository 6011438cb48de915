"""Every script of the corpus that `lint --fix` changes, run as it was and as it is then: the schema comes out the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress, DatabaseFacts
from handrail.lint.settings import LintSettings
from handrail.migrator.script_files import ScriptFile, read_files
from handrail.workflows.lint_scripts import repair
from migrator.test_corpus_runs import EXPECTED, FOLDER, prepare
from support.postgres import PostgresServer
from support.steps import module_of, run_steps

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True

SCRIPTS = {script.file.stem: script for script in read_files([FOLDER], FOLDER)}


def repaired(name: str, engine: str) -> str | None:
    """The script's text after `--fix` for one engine; None when nothing is repaired."""
    found = repair([SCRIPTS[name]], LintSettings(), frozenset({engine}))
    return found[0].source if found else None


def changed(engine: str) -> list[str]:
    return [name for name, entry in EXPECTED.items() if engine in entry["engines"] and repaired(name, engine)]


def upgrade(engine: Engine, name: str, source: str) -> str:
    """Run upgrade() on tables made for the corpus; why it failed, "" when it did not."""
    prepare(engine, name)
    try:
        run_steps(engine, module_of(name, source), "upgrade")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def schema(facts: DatabaseFacts) -> tuple[object, ...]:
    return facts.tables, facts.objects


@pytest.mark.parametrize("name", changed("sqlite"))
def test_repaired_scripts_leave_the_same_schema_on_sqlite(name: str, tmp_path: Path) -> None:
    ends = []
    for number, source in enumerate((SCRIPTS[name].revision.source, repaired(name, "sqlite") or "")):
        path = tmp_path / f"{number}.db"
        failed = upgrade(create_engine(f"sqlite:///{path}", poolclass=NullPool), name, source)
        ends.append((failed, schema(SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=tmp_path).facts())))
    assert_same(*ends)


@pytest.fixture
def places(postgres_server: PostgresServer) -> Iterator[list[DatabaseAddress]]:
    found = [postgres_server.clone(), postgres_server.clone()]
    yield found
    for address in found:
        postgres_server.drop(address.database)


@pytest.mark.parametrize("name", changed("postgresql"))
def test_repaired_scripts_leave_the_same_schema_on_postgresql(name: str, places: list[DatabaseAddress]) -> None:
    ends = []
    for address, source in zip(
        places, (SCRIPTS[name].revision.source, repaired(name, "postgresql") or ""), strict=True
    ):
        where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        failed = upgrade(create_engine(f"postgresql+psycopg://{where}", poolclass=NullPool), name, source)
        ends.append((failed, schema(PostgresDatabase(address).facts())))
    assert_same(*ends)


def assert_same(before: tuple[str, tuple[object, ...]], after: tuple[str, tuple[object, ...]]) -> None:
    """The repaired script runs; where the other one ran, too, both leave the same."""
    assert after[0] == ""
    if before[0] == "":
        assert after[1] == before[1]


def test_repairing_again_changes_nothing() -> None:
    for engine in ("postgresql", "sqlite"):
        for name in changed(engine):
            source = repaired(name, engine) or ""
            ast.parse(source)
            script: ScriptFile = SCRIPTS[name]
            again = replace(script, revision=replace(script.revision, source=source))
            assert repair([again], LintSettings(), frozenset({engine})) == ()
