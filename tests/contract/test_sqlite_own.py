"""SQLite files that need what only the application has: collations and functions of its own."""

from __future__ import annotations

import io
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.database import Probe
from handrail.databases.sqlite import readers
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.errors import BackupError, DatabaseUnavailable, HandrailError
from handrail.facts import DatabaseAddress

SQL = DumpRequest(Format.SQLITE_SQL)
#: What can be read: no value is computed, and none compared.
READABLE = {
    "unique": ("CREATE TABLE t (a TEXT COLLATE \"own's\" UNIQUE)", "INSERT INTO t VALUES ('ab'), ('ba'), ('B')"),
    "index": ("CREATE TABLE t (a TEXT)", "CREATE INDEX i ON t (a COLLATE own)", "INSERT INTO t VALUES ('ab'), ('ba')"),
    "key": ("CREATE TABLE t (a TEXT COLLATE Own PRIMARY KEY) WITHOUT ROWID", "INSERT INTO t VALUES ('ab'), ('ba')"),
    "check": ("CREATE TABLE t (a TEXT CHECK (twice(a) <> 'x'))", "INSERT INTO t VALUES ('ab')"),
    "expression": ("CREATE TABLE t (a TEXT)", "CREATE INDEX i ON t (twice(a))", "INSERT INTO t VALUES ('ab')"),
    "partial": ("CREATE TABLE t (a TEXT)", "CREATE INDEX i ON t (a) WHERE twice(a)", "INSERT INTO t VALUES ('ab')"),
    "stored": ("CREATE TABLE t (a TEXT, b TEXT AS (twice(a)) STORED)", "INSERT INTO t (a) VALUES ('ab')"),
    "regexp": ("CREATE TABLE t (a TEXT CHECK (a REGEXP '^[a-z]+$'))", "INSERT INTO t VALUES ('ab'), (NULL)"),
}  # fmt: skip


def by_last_letter(one: str, other: str) -> int:
    return (one[::-1] > other[::-1]) - (one[::-1] < other[::-1])


def application(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None)
    for name in ("own", "own's"):
        raw.create_collation(name, by_last_letter)
    raw.create_function("twice", 1, lambda value: value and value * 2, deterministic=True)
    raw.create_function(
        "regexp", 2, lambda pattern, value: value and bool(re.search(pattern, value)), deterministic=True
    )
    return raw


def made(path: Path, *statements: str) -> SqliteDatabase:
    with closing(application(path)) as raw:
        for statement in statements:
            raw.execute(statement)
    return SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")


def round_trip(database: SqliteDatabase, request: DumpRequest = WHOLE) -> tuple[Probe, ...]:
    out = io.BytesIO()
    report = database.dump(out, request)
    with database.scratch("run", request) as copy:
        copy.load(io.BytesIO(out.getvalue()), request)
        assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
        assert database.fingerprint().tables == report.fingerprint.tables
        return copy.integrity()


def refused(call: Callable[[], object], kind: type[HandrailError]) -> tuple[str, str, str]:
    """The words of the error in which a call ends: what happened, why, what to do."""
    with pytest.raises(kind) as raised:
        call()
    return raised.value.message, raised.value.why, raised.value.hint


@pytest.mark.parametrize("how", READABLE)
@pytest.mark.parametrize("with_readers", [False, True])
def test_a_copy_of_it_is_proven(tmp_path: Path, how: str, with_readers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if with_readers:
        monkeypatch.setattr(readers, "SMALLEST", 0)
    database = made(tmp_path / "live.db", *READABLE[how])
    entries, references = round_trip(database)
    what = {
        "unique": "the collation own's", "index": "the collation own", "key": "the collation Own",
        "check": "the function twice", "expression": "the function twice", "partial": "the function twice",
    }.get(how)  # fmt: skip
    assert references == Probe("foreign_key_check", True, "every foreign key leads to a row")
    not_checked = f"every page is sound; index entries and constraints were not checked, which needs {what}"
    assert entries == Probe("integrity_check", True, not_checked if what else "every page and index entry is sound")


def test_an_increment_of_it_is_proven(tmp_path: Path) -> None:
    database = made(tmp_path / "live.db", *READABLE["unique"], *map(READABLE["key"][0].replace, "t", "s"))
    base, part = io.BytesIO(), io.BytesIO()
    request = DumpRequest(Format.SQLITE_INCREMENT)
    before = database.dump(base)
    with closing(application(tmp_path / "live.db")) as raw:
        raw.execute("INSERT INTO t VALUES ('new')")
    report = database.dump(part, replace(request, since=before.inventory))
    with database.scratch("run", request) as copy:
        copy.load(io.BytesIO(base.getvalue()), request, increments=[io.BytesIO(part.getvalue())])
        assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()


def test_sql_text_that_sqlalchemy_can_run_is_proven(tmp_path: Path) -> None:
    round_trip(made(tmp_path / "live.db", *READABLE["regexp"]), SQL)


@pytest.mark.parametrize(
    ("how", "statement", "why"),
    [
        ("unique", 7, "SQLite says: no such collation sequence: own's. Only the application has the collation own's."),
        ("check", 7, "SQLite says: no such function: twice. Only the application has the function twice."),
    ],
)
def test_sql_text_that_only_the_application_can_run(tmp_path: Path, how: str, statement: int, why: str) -> None:
    database = made(tmp_path / "live.db", *READABLE[how])
    assert refused(lambda: round_trip(database, SQL), BackupError) == (
        f"Statement {statement} of the SQL text cannot be run.",
        why,
        "Back up with `handrail backup create --method copy`, which runs no SQL.",
    )


def test_a_column_that_only_the_application_can_compute(tmp_path: Path) -> None:
    file = tmp_path / "live.db"
    database = made(file, "CREATE TABLE t (a TEXT, b TEXT AS (twice(a)))", "INSERT INTO t (a) VALUES ('ab')")
    reads: tuple[Callable[[], object], ...] = (database.fingerprint, lambda: database.dump(io.BytesIO()))
    for read in reads:
        assert refused(read, DatabaseUnavailable) == (
            f"Reading {file} needs the function twice, which only the application has.",
            "SQLite says: unknown function: twice(). handrail reads the file without the application.",
            "What an index or a key is ordered by, or a generated column computes, must be SQLite's own.",
        )


def test_keys_that_only_the_application_can_follow(tmp_path: Path) -> None:
    database = made(
        tmp_path / "live.db",
        *READABLE["unique"],
        "CREATE TABLE child (a TEXT REFERENCES t (a))",
        "INSERT INTO child VALUES ('ab')",
    )
    assert round_trip(database)[1] == Probe(
        "foreign_key_check", True, "not checked: it needs the collation own's, which only the application has"
    )
    with pytest.raises(HandrailError, match="needs the collation own's, which only the application has"):
        database.broken_references()


def test_sql_text_of_rows_that_a_constraint_would_refuse(tmp_path: Path) -> None:
    """CHECK, which can be ignored, and NOT NULL, which cannot."""
    database = made(
        tmp_path / "live.db",
        "CREATE TABLE t (a INT CHECK (a > 0))",
        "PRAGMA ignore_check_constraints=ON",
        "INSERT INTO t VALUES (-1)",
    )
    round_trip(database, SQL)
    with closing(application(tmp_path / "live.db")) as raw:
        raw.execute("CREATE TABLE u (a INT)")
        raw.execute("INSERT INTO u VALUES (NULL)")
        raw.execute("PRAGMA writable_schema=ON")
        raw.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE u (a INT NOT NULL)' WHERE name = 'u'")
    assert refused(lambda: round_trip(database, SQL), BackupError) == (
        "Statement 10 of the SQL text cannot be run.",
        "SQLite says: NOT NULL constraint failed: u.a.",
        "Back up with `handrail backup create --method copy`, which runs no SQL.",
    )


def test_rows_that_a_constraint_would_refuse_are_no_damage(tmp_path: Path) -> None:
    database = made(
        tmp_path / "live.db",
        "CREATE TABLE t (a INT, b INT CHECK (b > 0))",
        "PRAGMA ignore_check_constraints=ON",
        "INSERT INTO t VALUES (NULL, -1)",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'a INT', 'a INT NOT NULL')",
    )
    entries, _ = round_trip(database)
    assert entries == Probe("integrity_check", False, "NULL value in t.a; CHECK constraint failed in t")
