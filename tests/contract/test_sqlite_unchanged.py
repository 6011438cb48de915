"""Digests taken over by their pages are those that reading the rows gives, whatever was done to the file meanwhile."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.databases.sqlite import digest
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.inventory import Inventory
from handrail.databases.sqlite.pages import hold_snapshot
from handrail.databases.sqlite.session import SqliteSessionGuard
from handrail.databases.sqlite.unchanged import Memory, changed_pages
from handrail.facts import DatabaseAddress, Fingerprint, TableName

TABLES = ("accounts", "book ings", "notes")
MAKE = """
PRAGMA page_size={page_size};
PRAGMA auto_vacuum={auto_vacuum};
PRAGMA journal_mode={journal_mode};
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT DEFAULT '', amount REAL);
CREATE TABLE "book ings" (id INTEGER PRIMARY KEY, name TEXT DEFAULT '', amount REAL);
CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY, name TEXT DEFAULT '', amount REAL) WITHOUT ROWID;
CREATE INDEX by_name ON accounts (name);
CREATE TABLE alembic_version (version_num TEXT);
"""
FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO "{table}" SELECT i, hex(randomblob(i % 40)), i FROM n
"""

table_name = st.sampled_from(TABLES)
number = st.integers(1, 300)
#: What may happen between two fingerprints, as SQL; "{t}" is a table.
statement = st.one_of(
    st.builds('UPDATE "{0}" SET amount = amount + 1 WHERE id = {1}'.format, table_name, number),
    st.builds("UPDATE \"{0}\" SET name = printf('%.*c', {1} * 9, 'x') WHERE id = {1}".format, table_name, number),
    st.builds("UPDATE \"{0}\" SET name = substr(name, 1, length(name) - 1) || 'y' WHERE id < 9".format, table_name),
    st.builds('DELETE FROM "{0}" WHERE id > {1}'.format, table_name, number),
    st.builds('INSERT OR IGNORE INTO "{0}" (id) VALUES ({1} + 300)'.format, table_name, number),
    st.builds("ALTER TABLE \"{0}\" ADD COLUMN added DEFAULT 'a'".format, table_name),
    st.builds('ALTER TABLE "{0}" DROP COLUMN amount'.format, table_name),
    st.builds('ALTER TABLE "{0}" RENAME COLUMN name TO other'.format, table_name),
    st.builds(
        'CREATE TABLE c AS SELECT * FROM "{0}"; DROP TABLE "{0}"; ALTER TABLE c RENAME TO "{0}"'.format, table_name
    ),
    st.builds('CREATE INDEX i{1} ON "{0}" (id)'.format, table_name, number),
    st.just(
        'ALTER TABLE accounts RENAME TO z; ALTER TABLE "book ings" RENAME TO accounts; ALTER TABLE z RENAME TO "book ings"'
    ),
    st.just("UPDATE alembic_version SET version_num = 'b'; INSERT INTO alembic_version VALUES ('a')"),
    st.just("DROP INDEX by_name"),
    st.just("VACUUM"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unchanged")


def make(path: Path, *, page_size: int = 1024, auto_vacuum: str = "NONE", journal_mode: str = "DELETE") -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.executescript(MAKE.format(page_size=page_size, auto_vacuum=auto_vacuum, journal_mode=journal_mode))
        for table in TABLES:
            raw.execute(FILL.format(table=table, rows=300))


def do(path: Path, *texts: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for text in texts:
            for part in text.split(";"):
                try:
                    raw.execute(part)
                except sqlite3.OperationalError as error:  # a column that is gone, an index that is there
                    assert any(word in str(error) for word in ("no such", "duplicate", "already", "cannot drop"))


def read_anew(path: Path) -> Fingerprint:
    with closing(sqlite3.connect(path)) as raw:
        return digest.fingerprint(raw, None, version_table="alembic_version")


def remembering(path: Path) -> SqliteDatabase:
    return SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work", memory=Memory())


def taken_over(path: Path, database: SqliteDatabase) -> set[str]:
    """The tables whose digests would be taken over now; fingerprints go on from there."""
    assert database._memory is not None
    with hold_snapshot(path) as snapshot:
        return set(database._memory.still_true(snapshot))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(st.lists(statement, max_size=4), min_size=1, max_size=4),
    page_size=st.sampled_from([512, 1024, 4096]),
    auto_vacuum=st.sampled_from(["NONE", "NONE", "FULL"]),
    journal_mode=st.sampled_from(["DELETE", "WAL"]),
)
def test_a_remembering_database_says_what_reading_the_rows_says(
    folder: Path, rounds: list[list[str]], page_size: int, auto_vacuum: str, journal_mode: str
) -> None:
    path = folder / "live.db"
    make(path, page_size=page_size, auto_vacuum=auto_vacuum, journal_mode=journal_mode)
    database = remembering(path)
    assert database.fingerprint() == read_anew(path)
    for texts in rounds:
        do(path, *texts)
        assert database.fingerprint() == read_anew(path)


@pytest.mark.parametrize(
    ("text", "read_again"),
    [
        ("SELECT 1", set()),
        ("ALTER TABLE accounts ADD COLUMN status TEXT NOT NULL DEFAULT 'SCHEDULED'", set()),
        ("INSERT INTO alembic_version VALUES ('a')", set()),
        ("CREATE INDEX by_amount ON accounts (amount)", set()),
        ("CREATE TABLE more AS SELECT * FROM accounts", set()),
        ("DROP INDEX by_name", set()),
        ("UPDATE accounts SET amount = 7 WHERE id = 1", {"accounts"}),
        ('DELETE FROM "book ings"', {"book ings"}),
        ("ALTER TABLE accounts RENAME COLUMN name TO other", {"accounts"}),
        ("ALTER TABLE accounts DROP COLUMN amount", {"accounts"}),
        ("DROP TABLE notes", {"notes"}),
        # A value so long that it goes to an overflow page: whose page that is nobody knows, so all are read.
        ("UPDATE notes SET name = hex(zeroblob(4000)) WHERE id = 1", {"accounts", "book ings", "notes"}),
    ],
)
def test_only_tables_whose_pages_changed_are_read_again(tmp_path: Path, text: str, read_again: set[str]) -> None:
    path = tmp_path / "live.db"
    make(path)
    database = remembering(path)
    database.fingerprint()
    do(path, text)
    assert {*TABLES} - taken_over(path, database) == read_again


def test_a_change_inside_an_overflow_page_alone_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    make(path)
    do(path, "INSERT INTO accounts VALUES (1000, hex(zeroblob(4000)), 1)")
    database = remembering(path)
    before = database.fingerprint()
    do(path, "UPDATE accounts SET name = substr(name, 1, length(name) - 1) || 'x' WHERE id = 1000")
    assert taken_over(path, database) == set()
    assert database.fingerprint() != before


@pytest.mark.parametrize("what", ["DEFAULT 'b'", "INTEGER DEFAULT 'a'"])
def test_a_default_or_type_changed_beneath_sqlite_is_seen(tmp_path: Path, what: str) -> None:
    """PRAGMA writable_schema: no record changes, yet what rows that lack the column read as does."""
    path = tmp_path / "live.db"
    make(path)
    do(path, "ALTER TABLE accounts ADD COLUMN status TEXT DEFAULT 'a'")
    database = remembering(path)
    database.fingerprint()
    do(
        path,
        "PRAGMA writable_schema=ON",
        f"UPDATE sqlite_schema SET sql = replace(sql, 'TEXT DEFAULT ''a''', '{what.replace(chr(39), chr(39) * 2)}')",
    )
    assert taken_over(path, database) == {"book ings", "notes"}
    assert database.fingerprint() == read_anew(path)


def test_a_file_of_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    path.touch()
    database = remembering(path)
    assert database.fingerprint() == database.fingerprint() == read_anew(path)
    do(path, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    assert database.fingerprint() == read_anew(path)


def test_a_generated_column_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    make(path)
    do(path, "CREATE TABLE made (id INTEGER PRIMARY KEY, twice INT GENERATED ALWAYS AS (id * 2))")
    database = remembering(path)
    database.fingerprint()
    assert taken_over(path, database) == {*TABLES}


def test_changed_pages_are_the_differing_and_the_new_ones() -> None:
    piece = [bytes([number]) * 16 for number in range(4)]

    def changed(before: Sequence[int], after: Sequence[int], size: int, count: int) -> list[int]:
        then, now = (Inventory(b"".join(piece[one] for one in some), 4096) for some in (before, after))
        return list(changed_pages(then, now, size, count))

    assert changed([0, 1, 2], [0, 3, 2, 1], 4096, 4) == [0, 0, 1, 0, 1]
    assert changed([0, 1, 2, 3], [0, 1], 4096, 2) == [0, 0, 0]
    assert changed([0, 1], [0, 2], 2048, 3) == [0, 0, 0, 1]  # the last piece is half a piece
    assert changed([0, 1, 2, 3], [0, 1, 3, 3], 8192, 2) == [0, 0, 1]


@pytest.fixture(params=["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A database and, as env.py has one, a connection to it."""
    path = tmp_path / "live.db"
    make(path, journal_mode=request.param)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA wal_autocheckpoint=0")
        raw.execute("UPDATE accounts SET amount = 2 WHERE id = 3")
        yield path, raw


def dumped(path: Path) -> str:
    """The content of a dump, made by a database of its own."""
    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")
    return database.dump(io.BytesIO()).fingerprint.content


def test_a_session_finds_the_content_of_a_dump_until_somebody_commits(live: tuple[Path, sqlite3.Connection]) -> None:
    path, raw = live
    raw.row_factory, raw.text_factory = sqlite3.Row, bytes
    guard = SqliteSessionGuard(raw, lock_timeout=1.0)
    content = dumped(path)
    raw.execute("BEGIN IMMEDIATE")
    assert guard.content() == content
    raw.execute("UPDATE accounts SET amount = 4 WHERE id = 5")
    raw.execute("COMMIT")
    raw.execute("BEGIN IMMEDIATE")
    assert guard.content() not in (content, "")
    raw.execute("ROLLBACK")
    assert (raw.row_factory, raw.text_factory) == (sqlite3.Row, bytes)


def test_reading_the_content_keeps_the_write_lock(live: tuple[Path, sqlite3.Connection]) -> None:
    path, raw = live
    raw.execute("BEGIN IMMEDIATE")
    assert SqliteSessionGuard(raw, lock_timeout=1.0).content()
    with (
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="database is locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_a_database_in_memory_has_no_content_to_compare() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        assert SqliteSessionGuard(raw, lock_timeout=1.0).content() == ""


def test_known_digests_are_selected_by_group(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    make(path)
    with closing(sqlite3.connect(path)) as raw:
        accounts, name = TableName("accounts"), ("name",)
        asked = digest.fingerprint(raw, {accounts: (("id", "name"), name)}, version_table="alembic_version")
        only = digest.fingerprint(raw, {accounts: (name,)}, version_table="alembic_version")
    assert asked.having({accounts: (name,)}) == only
    assert asked.having({accounts: (("amount",),)}) is None
    assert only.merged(asked).having({accounts: (("id", "name"), name)}) == asked
