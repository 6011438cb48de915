"""The edits that lint rules offer, on a real PostgreSQL: the repaired scripts run through, and leave what was meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import MetaData, NullPool, create_engine

from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseFacts
from handrail.lint.change_rule import ChangeRule
from handrail.lint.engine import check
from handrail.lint.finding import apply_edits
from handrail.lint.rule import Case, LintContext
from handrail.lint.rules import RULES
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Revision
from migrator.test_rule_harm import STAMP, run_case
from support.postgres import PostgresServer
from support.steps import module_of, run_steps

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True


def repaired(rule: ChangeRule, case: Case) -> Case | None:
    """The case with the rule's edits made; None when it has none."""
    sources = {}
    for name, source in case.sources.items():
        context = LintContext((read_script(Revision(name, (), "", name, source)),), enums=case.enums)
        edits = {edit for finding in check(context, [rule]) for edit in finding.edits}
        sources[name] = apply_edits(source, list(edits))
    return replace(case, sources=sources) if sources != dict(case.sources) else None


def is_too_late(case: Case) -> bool:
    """Whether the harm comes from an earlier downgrade: the edit spares the next one."""
    return case.harm is not None and "already exists" in case.harm.fails


def asks(rule: ChangeRule) -> bool:
    """Whether a person has to say that something else was meant (tests/migrator/test_rename_runs.py)."""
    return bool(getattr(rule, "question", ""))


REPAIRED = [
    pytest.param(case, after, id=f"{rule.code}: {case.title}")
    for rule in RULES
    if isinstance(rule, ChangeRule) and "postgresql" in rule.engines and not asks(rule)
    for case in rule.BAD
    if case.setup and not is_too_late(case) and (after := repaired(rule, case)) is not None
]


def run_on(server: PostgresServer, case: Case, folder: Path) -> DatabaseFacts | str:
    """The catalog after the case, or why it failed."""
    address = server.clone()
    folder.mkdir()
    server.execute(address, [*STAMP, *case.setup])
    url = f"postgresql+psycopg://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    try:
        runs = run_case(folder, url, case, address)
        return runs if isinstance(runs, str) else PostgresDatabase(address).facts()
    finally:
        server.drop(address.database)


@pytest.mark.parametrize(("case", "after"), REPAIRED)
def test_the_repaired_script_leaves_the_same_schema(
    case: Case, after: Case, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    wanted = run_on(postgres_server, case, tmp_path / "before")
    got = run_on(postgres_server, after, tmp_path / "after")
    assert isinstance(got, DatabaseFacts), got
    if isinstance(wanted, DatabaseFacts):
        assert (got.tables, got.objects) == (wanted.tables, wanted.objects)


ALTER = "from alembic import op\n\n\ndef upgrade():\n    op.alter_column('bookings', 'seats', nullable=False)\n"
CONVENTION = {"ck": "ck_%(table_name)s_%(constraint_name)s"}


def test_set_not_null_is_repaired_under_a_naming_convention(postgres_server: PostgresServer) -> None:
    (rule,) = (one for one in RULES if one.code == "HR-LK106")
    assert isinstance(rule, ChangeRule)
    after = repaired(rule, Case("alter", {"alter.py": ALTER}))
    assert after is not None
    found = []
    for source in (ALTER, after.sources["alter.py"]):
        address = postgres_server.clone()
        postgres_server.execute(address, ["CREATE TABLE bookings (seats int)", "INSERT INTO bookings VALUES (1)"])
        url = f"postgresql+psycopg://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        engine = create_engine(url, poolclass=NullPool)
        run_steps(engine, module_of("alter", source), "upgrade", metadata=MetaData(naming_convention=CONVENTION))
        found.append(PostgresDatabase(address).facts())
        postgres_server.drop(address.database)
    assert (found[1].tables, found[1].objects) == (found[0].tables, found[0].objects)
    assert not found[0].tables[0].columns[0].nullable
