"""Several processes that digest one snapshot give what one connection gives, whoever writes or dies meanwhile."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.databases.sqlite import digest, readers
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.readers import Joint, hold_together
from handrail.databases.sqlite.rows import Part, Span, digest_part
from handrail.databases.sqlite.unchanged import Memory
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress, Fingerprint
from support.children import Child

MAKE = """
PRAGMA page_size=512;
PRAGMA journal_mode={mode};
CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT, amount REAL);
CREATE TABLE "its rows" (_rowid_ TEXT, "we.ird" BLOB);
CREATE TABLE hidden (rowid TEXT, oid TEXT, _rowid_ TEXT);
CREATE TABLE keyed (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE empty (a);
WITH RECURSIVE n (i) AS (SELECT -3000 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
 INSERT INTO plain SELECT i * i * i * 100000001, printf('%.*c', abs(i) % 700, 'x') || i, i / 3.0 FROM n;
INSERT INTO plain VALUES (9223372036854775807, 'last', 1), (-9223372036854775808, 'first', NULL);
INSERT INTO "its rows" SELECT name, CASE id % 3 WHEN 0 THEN CAST(name AS BLOB) ELSE name END FROM plain;
INSERT INTO hidden SELECT name, id, amount FROM plain;
INSERT INTO keyed SELECT name, id FROM plain;
"""

WRITER = """
import sqlite3, sys, time
raw = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
raw.execute("PRAGMA synchronous=OFF")
print("running", flush=True)
while not time.sleep(0.01):
    raw.execute("UPDATE plain SET amount = coalesce(amount, 0) + 1 WHERE id % 7 = abs(random()) % 7")
"""


def made(path: Path, mode: str) -> Path:
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(MAKE.format(mode=mode))
    return path


@pytest.fixture(params=["wal", "delete"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database whose tables have deep trees; it counts as large."""
    monkeypatch.setattr(readers, "SMALLEST", 0)
    monkeypatch.setattr(readers, "_processors", lambda: 3)
    return made(tmp_path / "a.db", request.param)


def alone(path: Path) -> Fingerprint:
    with closing(sqlite3.connect(path)) as raw:
        return digest.fingerprint(raw, None, version_table="alembic_version")


def together(joint: Joint) -> Fingerprint:
    return digest.fingerprint(joint.snapshot.raw, None, version_table="alembic_version", digesting=joint.digesting())


def left_beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir() if one != path]


def test_processes_find_what_one_connection_finds(path: Path) -> None:
    expected = alone(path)
    with hold_together(path) as joint:
        started = len(joint.readers)
        found = together(joint)
    assert (started, len(joint.readers)) == (3, 0)
    assert found == expected
    assert {str(one.table): one.rows for one in found.tables} == {
        "empty": 0, "hidden": 6003, "its rows": 6003, "keyed": 6003, "plain": 6003,
    }  # fmt: skip
    assert left_beside(path) == []


@settings(deadline=None)
@given(keys=st.sets(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-9, 9)), ids=st.sets(st.integers(-9, 9)))
def test_parts_add_up_wherever_a_table_is_cut(keys: set[int], ids: set[int]) -> None:
    ends = [None, *sorted(keys), None]
    groups = (("id", "v"), ("v",))
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        raw.executemany("INSERT INTO t VALUES (?, ?)", [(one, b"x" if one % 2 else "x") for one in ids])
        spans = [Span(above, upto) for above, upto in pairwise(ends)]
        parts = [digest_part(raw, Part("t", groups, (span,))) for span in spans]
        whole, found = digest_part(raw, Part("t", groups)), reduce(add, parts)
        assert digest_part(raw, Part("t", groups, tuple(spans))).sums == whole.sums
    assert (found.rows, found.sums) == (whole.rows, whole.sums)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Another process that commits all the time."""
    with Child[bytes]([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"running\n"
            yield
            assert writer.poll() is None, "the writer died"
        finally:
            writer.kill()


def test_all_of_them_see_one_moment_beside_a_writer(path: Path) -> None:
    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")
    seen = set()
    with writing(path):
        for _ in range(2):
            out = io.BytesIO()
            report = database.dump(out)
            out.seek(0)
            with database.scratch("run") as copy:
                copy.load(out)
                again = copy.fingerprint()
            assert again == report.fingerprint
            assert again.content == report.fingerprint.content
            seen.add(again.content)
    assert len(seen) > 1


def test_without_a_moment_for_all_the_others_leave(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.databases.sqlite.pages._TOGETHER_SECONDS", -1.0)
    expected = alone(path)
    with closing(sqlite3.connect(path)) as raw:
        (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
    with hold_together(path) as joint:
        assert len(joint.readers) == (0 if mode == "wal" else 3)
        assert together(joint) == expected


def test_what_a_killed_process_would_have_done_is_done_here(path: Path) -> None:
    expected = alone(path)
    with hold_together(path) as joint:
        joint.readers._readers[1].kill()
        assert together(joint) == expected
        for one in joint.readers._readers:
            one.kill()
        assert together(joint) == expected


def test_a_process_that_cannot_begin_makes_all_leave(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.databases.sqlite.readers._READER", "handrail.no_such_module")
    expected = alone(path)
    with hold_together(path) as joint:
        assert len(joint.readers) == 0
        assert together(joint) == expected


def test_reading_that_is_given_up_ends(path: Path) -> None:
    with hold_together(path) as joint:
        joint.interrupt()
        with pytest.raises(BackupError) as caught:
            together(joint)
    assert caught.value.message == "Reading the database was given up."


def test_a_failing_sink_ends_the_processes_and_is_what_is_told(path: Path) -> None:
    class Full(io.RawIOBase):
        def write(self, _: object, /) -> int:
            raise OSError(28, "No space left on device")

    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")
    began = time.monotonic()
    with pytest.raises(BackupError) as caught:
        database.dump(Full())  # type: ignore[arg-type]
    assert caught.value.message == f"No space left while dumping {path}."
    assert time.monotonic() - began < 5


def test_a_copy_remembers_its_pages_while_processes_read_its_rows(path: Path) -> None:
    copy = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent, memory=Memory())
    first = copy.fingerprint()
    assert first == alone(path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE keyed SET b = 7 WHERE b = 0")
    second = copy.fingerprint()
    assert second == alone(path)
    assert [one for one in second.tables if one not in first.tables] == [second.table(second.tables[3].table)]
    assert str(second.tables[3].table) == "keyed"


def test_a_small_file_is_read_by_one_connection(tmp_path: Path) -> None:
    with hold_together(made(tmp_path / "a.db", "wal")) as joint:
        assert len(joint.readers) == 0
