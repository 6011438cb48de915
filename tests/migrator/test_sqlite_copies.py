"""What the rules say of a batch copy is what a batch copy does to a real SQLite database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine

from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress, DatabaseFacts, ObjectKind
from handrail.lint.change_rule import ChangeRule
from handrail.lint.engine import check
from handrail.lint.rule import LintContext
from handrail.lint.rules import RULES
from handrail.migrations.reading import read_script
from unit.building import script

COPY = "    with op.batch_alter_table('users') as batch_op:\n        batch_op.alter_column('age', {change})"
TABLE = "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY{auto}, name TEXT{collate}, age TEXT{check})"
PLAIN = {"auto": "", "collate": "", "check": ""}
#: What the table has, and the words of the finding about it.
PARTS = {
    "AUTOINCREMENT": (TABLE.format(**PLAIN | {"auto": " AUTOINCREMENT"}),),
    "COLLATE NOCASE of name": (TABLE.format(**PLAIN | {"collate": " COLLATE NOCASE"}),),
    "the unnamed CHECK (age <> '')": (TABLE.format(**PLAIN | {"check": " CHECK (age <> '')"}),),
    "index ix on (lower (name))": (TABLE.format(**PLAIN), "CREATE INDEX ix ON users (lower(name))"),
    "DESC of index ix": (TABLE.format(**PLAIN), "CREATE INDEX ix ON users (id, name DESC)"),
    "trigger tr": (TABLE.format(**PLAIN), "CREATE TRIGGER tr AFTER INSERT ON users BEGIN SELECT 1; END"),
    "": (
        TABLE.format(**PLAIN).replace(
            "age TEXT", "age TEXT,\nCONSTRAINT ck CHECK (id > 0),\nCONSTRAINT uq UNIQUE (name)"
        ),
        "CREATE INDEX ix ON users (name) WHERE id > 1",
        "CREATE UNIQUE INDEX ux ON users (id, name)",
    ),
}


def judge(body: str, database: SqliteDatabase, rule: str) -> list[str]:
    """The rule's messages, with what it wants counted counted."""
    (one,) = [one for one in RULES if one.code == rule]
    assert isinstance(one, ChangeRule)
    context = LintContext((read_script(script(body)),), database.facts(), engines=frozenset({"sqlite"}))
    answers = database.count_rows(tuple(one.questions(context)), seconds=5)
    context = LintContext(context.scripts, context.facts, engines=context.engines, answers=answers)
    return [finding.message for finding in check(context, [one])]


def upgrade(file: Path, body: str) -> None:
    names: dict[str, object] = {}
    exec(compile(script(body).source, "script", "exec"), names)  # noqa: S102 - written above
    step = names["upgrade"]
    assert callable(step)
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        step()
    engine.dispose()


def make(file: Path, *statements: str) -> SqliteDatabase:
    with closing(sqlite3.connect(file)) as raw, raw:
        for statement in statements:
            raw.execute(statement)
    return SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=file.parent / "work")


def parts_of(known: DatabaseFacts) -> set[tuple[ObjectKind, str]]:
    objects = {(one.kind, one.definition) for one in known.objects}
    collated = {(ObjectKind.CONSTRAINT, str(column.collation)) for table in known.tables for column in table.columns}
    return objects | collated


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore:Unnamed CHECK:UserWarning")
@pytest.mark.parametrize("lost", PARTS)
def test_what_a_copy_is_said_to_lose_it_loses(lost: str, tmp_path: Path) -> None:
    file, body = tmp_path / "local.db", COPY.format(change="existing_type=sa.Text(), nullable=False")
    database = make(file, *PARTS[lost])
    before = parts_of(database.facts())
    assert judge(body, database, "HR-SQ103") == ([f"copying users loses {lost}"] if lost else [])
    upgrade(file, body)
    assert bool(before - parts_of(database.facts())) is bool(lost)


@pytest.mark.parametrize("kind", ["sa.Integer()", "sa.Numeric()", "sa.Boolean()", "sa.Date()", "sa.Float()"])
def test_values_that_are_said_to_change_change(kind: str, tmp_path: Path) -> None:
    values = ("7", "007", " 7", "-1", "1.0", "1.5", "abc", "", "1e3", "2026-01-05", "true", None)
    file, body = tmp_path / "local.db", COPY.format(change=f"existing_type=sa.Text(), type_={kind}")
    database = make(file, TABLE.format(**PLAIN))
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.executemany("INSERT INTO users (age) VALUES (?)", [(value,) for value in values])
    (message,) = judge(body, database, "HR-SQ106")
    upgrade(file, body)
    with closing(sqlite3.connect(file)) as raw:
        after = [value for (value,) in raw.execute("SELECT age FROM users ORDER BY id")]
    changed = sum(not _is_same(old, new) for old, new in zip(values, after, strict=True))
    assert message.endswith(f": {changed} values would change"), (changed, after)


def _is_same(old: str | None, new: object) -> bool:
    """Whether a text and what became of it are the same number, or both nothing."""
    try:
        return old == new if old is None or new is None else float(old) == float(str(new))
    except ValueError:
        return False
