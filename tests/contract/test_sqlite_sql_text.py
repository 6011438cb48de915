"""SQL text of a SQLite database: exact to the bit, readable by the shell, refused when it is damaged."""

from __future__ import annotations

import io
import shutil
import sqlite3
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.sqlite.digest import fingerprint
from handrail.databases.sqlite.sql_text import load_sql, write_sql
from handrail.errors import BackupError

NASTY = """
PRAGMA page_size=8192; PRAGMA auto_vacuum=2; PRAGMA user_version=7; PRAGMA application_id=42; PRAGMA journal_mode=WAL;
CREATE TABLE "it's ""x" (id INTEGER PRIMARY KEY AUTOINCREMENT, t TEXT, r REAL, g AS (r * 2) STORED, h AS (t || 'x'));
CREATE TABLE loose (a, b);
CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE hidden (_rowid_, rowid, oid);
CREATE VIRTUAL TABLE words USING fts5(body);
CREATE VIRTUAL TABLE outside USING fts5(a, content=loose, content_rowid=rowid);
CREATE VIEW seen AS SELECT * FROM loose;
CREATE INDEX part ON loose (a) WHERE b > 'x;
y';
CREATE TRIGGER made AFTER INSERT ON keyed BEGIN INSERT INTO loose VALUES (1, 2);
 UPDATE loose SET a = 3 WHERE a = ';'; END;
INSERT INTO "it's ""x" (t, r) VALUES ('a', 1.0), ('b', 2.5);
DELETE FROM "it's ""x" WHERE id = 2;
INSERT INTO loose VALUES (CAST(x'610062' AS TEXT), 'q '' ;
;
'), (CAST(x'ff41' AS TEXT), x'00ff'), (9223372036854775807, -9223372036854775808), (NULL, ''), (1, 1.0), ('1', '1.0');
INSERT INTO loose VALUES ('COMMIT;', '--'), ('/*', '[');
DELETE FROM loose WHERE rowid IN (3, 5);
INSERT INTO keyed VALUES ('k', 1.0);
INSERT INTO hidden VALUES (1, 2, 3);
INSERT INTO words VALUES ('hello world');
INSERT INTO outside (outside) VALUES ('rebuild');
ANALYZE;
"""
SETTINGS = ("encoding", "page_size", "auto_vacuum", "user_version", "application_id", "journal_mode")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "source.db", isolation_level=None)) as raw:
        raw.executescript(NASTY)
        yield raw


def text_of(raw: sqlite3.Connection) -> bytes:
    return b"".join(write_sql(raw))


def state(raw: sqlite3.Connection) -> tuple[object, ...]:
    """Everything: settings, schema as it is written, rows with their types and rowids."""
    schema = raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    settings = [raw.execute(f"PRAGMA {name}").fetchone() for name in SETTINGS]
    rowids = raw.execute("SELECT rowid FROM loose ORDER BY rowid").fetchall()
    counted = raw.execute("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl, idx").fetchall()
    return schema, settings, rowids, counted, fingerprint(raw, None, version_table="-")


def test_everything_comes_back(source: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    load_sql(tmp_path / "new.db", io.BytesIO(text_of(source)))
    with closing(sqlite3.connect(tmp_path / "new.db")) as raw:
        assert [line for (line,) in raw.execute("PRAGMA integrity_check")] == ["ok"]
        assert state(raw)[:4] == state(source)[:4]
        restored, was = fingerprint(raw, None, version_table="-"), fingerprint(source, None, version_table="-")
        assert restored.sequences == was.sequences
        assert restored.tables == was.tables
        assert raw.execute("SELECT * FROM words WHERE words MATCH 'hello'").fetchall() == [("hello world",)]


SHELL = shutil.which("sqlite3")


@pytest.mark.skipif(SHELL is None, reason="the shell `sqlite3` is not installed")
def test_the_shell_reads_it_too(source: sqlite3.Connection, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(SHELL), str(tmp_path / "new.db")], input=text_of(source), capture_output=True, check=False
    )
    assert done.stderr == b""
    with closing(sqlite3.connect(tmp_path / "new.db")) as raw:
        assert state(raw)[:4] == state(source)[:4]
        assert fingerprint(raw, None, version_table="-").tables == fingerprint(source, None, version_table="-").tables


def test_a_row_is_a_line_that_people_can_read() -> None:
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, name); CREATE TABLE u (a)")
        raw.executescript("INSERT INTO t VALUES (1, '푸딩''s'), (2, 0.1); INSERT INTO u (rowid, a) VALUES (9, x'00')")
        assert text_of(raw).decode() == (
            "PRAGMA foreign_keys=OFF;\n"
            "PRAGMA ignore_check_constraints=ON;\n"
            "PRAGMA encoding='UTF-8';\n"
            "PRAGMA page_size=4096;\n"
            "PRAGMA auto_vacuum=0;\n"
            "BEGIN TRANSACTION;\n"
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name);\n"
            "CREATE TABLE u (a);\n"
            "INSERT INTO \"t\" VALUES(1,'푸딩''s');\n"
            'INSERT INTO "t" VALUES(2,0.1);\n'
            'INSERT INTO "u"(_rowid_,"a") VALUES(9,X\'00\');\n'
            "COMMIT;\n"
            "PRAGMA user_version=0;\n"
            "PRAGMA application_id=0;\n"
            "PRAGMA journal_mode='memory';\n"
        )


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as raw:
        raw.execute(f"PRAGMA encoding='{encoding}'")
        raw.execute("CREATE TABLE loose (a)")
        raw.executemany("INSERT INTO loose VALUES (?)", [("한 🍮",), ("a\0b",), (b"\xff\0",), (0.1,)])
        (tmp_path / "b.db").touch()
        load_sql(tmp_path / "b.db", io.BytesIO(text_of(raw)))
        with closing(sqlite3.connect(tmp_path / "b.db")) as new:
            assert new.execute("PRAGMA encoding").fetchone() == (encoding,)
            assert (
                new.execute("SELECT *, typeof(a) FROM loose").fetchall()
                == raw.execute("SELECT *, typeof(a) FROM loose").fetchall()
            )


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0])
    | st.text(st.characters(codec="utf-8"))
    | st.binary()
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=20))
def test_any_value_comes_back_to_the_bit(rows: list[tuple[object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE loose (a, b REAL)")
        raw.executemany("INSERT INTO loose VALUES (?, ?)", rows)
        new = Path(folder, "new.db")
        new.touch()
        text = text_of(raw).replace(b"PRAGMA journal_mode='memory';", b"")
        load_sql(new, io.BytesIO(text))
        with closing(sqlite3.connect(new)) as copy:
            asked = "SELECT rowid, a, typeof(a), b, typeof(b) FROM loose ORDER BY rowid"
            assert repr(copy.execute(asked).fetchall()) == repr(raw.execute(asked).fetchall())


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        ("CREATE TABLE t (a);\nINSERT INTO t VALUES('x;\n", "The SQL text was cut.", "It ends within a statement."),
        ("BEGIN;\nCREATE TABLE t (a);\n", "The SQL text was cut.", "Its transaction does not end."),
        ("CREATE TABLE t (a);\nINSERT INTO u VALUES(1);\n", "Statement 2 of the SQL text cannot be run.", "SQLite says: no such table: u."),
        ("ATTACH '{folder}/other.db' AS other;\n", "Statement 1 of the SQL text cannot be run.", "SQLite says: too many attached databases - max 0."),
        ("CREATE VIEW v AS\nSELECT '\0';\n", "Statement 1 of the SQL text cannot be run.", "SQLite says: embedded null character."),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_told(tmp_path: Path, text: str, message: str, why: str) -> None:
    (tmp_path / "new.db").touch()
    with pytest.raises(BackupError) as raised:
        load_sql(tmp_path / "new.db", io.BytesIO(text.replace("{folder}", str(tmp_path)).encode()))
    assert (raised.value.message, raised.value.why) == (message, why)
    assert raised.value.hint == "Choose another one: `handrail backup list`."
    assert [path.name for path in tmp_path.iterdir()] == ["new.db"]


def test_texts_with_many_line_ends_are_read_in_one_pass(tmp_path: Path) -> None:
    """A text of 400,000 lines that each look like a statement's end: reading it anew for each would take hours."""
    (tmp_path / "new.db").touch()
    text = "x;\n" * 400_000
    load_sql(tmp_path / "new.db", io.BytesIO(f"CREATE TABLE t (a);\nINSERT INTO t VALUES('{text}');\n".encode()))
    with closing(sqlite3.connect(tmp_path / "new.db")) as raw:
        assert raw.execute("SELECT a FROM t").fetchall() == [(text,)]
