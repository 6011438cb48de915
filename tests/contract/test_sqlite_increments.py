"""Increments of SQLite files: whatever was changed, the parts make the same file again, and wrong ones are refused."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.database import DumpReport
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.increment import PIECE
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress

INCREMENT = DumpRequest(Format.SQLITE_INCREMENT)
TABLE = "CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT)"
ROWS = "INSERT INTO rooms (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)" + (
    " SELECT hex(randomblob(20)) FROM n"
)
#: Statements that touch few pages, many, add some, and take some away.
EDITS = (
    "UPDATE rooms SET name = 'x' WHERE id = 5000",
    "UPDATE rooms SET name = upper(name) || 'longer'",
    "INSERT INTO rooms (name) SELECT name FROM rooms LIMIT 3000",
    "DELETE FROM rooms WHERE id % 7 = 0",
    "DELETE FROM rooms",
    "VACUUM",
    "CREATE TABLE IF NOT EXISTS more AS SELECT * FROM rooms",
    "DROP TABLE IF EXISTS more",
    "PRAGMA journal_mode=WAL",
    "PRAGMA journal_mode=DELETE",
)


def at(file: Path) -> SqliteDatabase:
    return SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=file.parent / "work")


def run(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement).fetchall()


def taken(database: SqliteDatabase, request: DumpRequest) -> tuple[DumpReport, bytes]:
    out = io.BytesIO()
    report = database.dump(out, request)
    return report, out.getvalue()


@pytest.fixture
def live(tmp_path: Path) -> Path:
    file = tmp_path / "live.db"
    run(file, TABLE, ROWS)
    return file


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([512, 4096, 65536]), st.lists(st.sampled_from(EDITS), max_size=4))
def test_parts_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, page_size: int, edits: Sequence[str]
) -> None:
    folder = tmp_path_factory.mktemp("increments")
    file = folder / "live.db"
    run(file, f"PRAGMA page_size={page_size}", TABLE, ROWS)
    database = at(file)
    report, base = taken(database, WHOLE)
    parts = []
    for edit in edits:
        run(file, edit)
        report, part = taken(database, replace(INCREMENT, since=report.inventory))
        parts.append(io.BytesIO(part))
    with database.scratch("made", INCREMENT) as copy:
        copy.load(io.BytesIO(base), INCREMENT, increments=parts)
        again = io.BytesIO()
        copied = copy.dump(again)
        found = copy.fingerprint()
        assert compare_restored(report.fingerprint, found, report.facts, copy.facts()) == ()
    assert copied.inventory == report.inventory
    assert again.getvalue() == taken(database, WHOLE)[1]


def test_nothing_changed_is_next_to_nothing(live: Path) -> None:
    report, base = taken(at(live), WHOLE)
    _, part = taken(at(live), replace(INCREMENT, since=report.inventory))
    assert names(part) == ["size", "digest"]
    assert len(report.inventory) == -(-len(base) // PIECE) * 16


def test_a_row_is_a_few_pieces(live: Path) -> None:
    report, _ = taken(at(live), WHOLE)
    run(live, EDITS[0])
    _, part = taken(at(live), replace(INCREMENT, since=report.inventory))
    assert len(names(part)) <= 4  # the page of the row, and the first one, which counts changes
    assert names(part)[-2:] == ["size", "digest"]


def names(part: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(part)) as tar:
        return tar.getnames()


def test_in_place(live: Path) -> None:
    database = at(live)
    report, base = taken(database, WHOLE)
    run(live, EDITS[0])
    _, part = taken(database, replace(INCREMENT, since=report.inventory))
    run(live, "DELETE FROM rooms")
    kept = database.replace(io.BytesIO(base), INCREMENT, aside="failed_1", increments=[io.BytesIO(part)])
    with closing(sqlite3.connect(live)) as raw:
        assert raw.execute("SELECT count(*), sum(name = 'x') FROM rooms").fetchall() == [(9000, 1)]
    with closing(sqlite3.connect(kept)) as raw:
        assert raw.execute("SELECT count(*) FROM rooms").fetchall() == [(0,)]


def cut(part: bytes) -> bytes:
    return part[: len(part) // 2 - 100]


def empty(part: bytes) -> bytes:
    return b""


def other_piece(part: bytes) -> bytes:
    """One byte of a piece is another; the tar is whole."""
    at_ = part.index(b"\0" * 8 + b"ustar") if b"\0" * 8 + b"ustar" in part else 512
    flipped = bytearray(part)
    flipped[at_ + 600] ^= 1
    return bytes(flipped)


@pytest.mark.parametrize("harm", [cut, empty, other_piece])
def test_a_harmed_one_is_refused(live: Path, tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    database = at(live)
    report, base = taken(database, WHOLE)
    run(live, EDITS[0])
    _, part = taken(database, replace(INCREMENT, since=report.inventory))
    new = at(tmp_path / "new.db")
    with pytest.raises(BackupError) as raised:
        new.load(io.BytesIO(base), INCREMENT, increments=[io.BytesIO(harm(part))])
    assert raised.value.message in {
        "This is not a whole increment.", "The increments do not fit the backup that they are to build on.",
    }  # fmt: skip
    assert not list(tmp_path.glob("new.db*"))


@pytest.mark.parametrize("which", ["one is left out", "in the wrong order", "on another file"])
def test_parts_that_do_not_fit(live: Path, tmp_path: Path, which: str) -> None:
    database = at(live)
    report, base = taken(database, WHOLE)
    run(live, EDITS[0])
    second, first_part = taken(database, replace(INCREMENT, since=report.inventory))
    run(live, EDITS[2])
    _, second_part = taken(database, replace(INCREMENT, since=second.inventory))
    if which == "on another file":
        run(live, "UPDATE rooms SET name = 'other'")
        base = taken(database, WHOLE)[1]
    parts = {
        "one is left out": [second_part],
        "in the wrong order": [second_part, first_part],
        "on another file": [first_part],
    }[which]
    with pytest.raises(BackupError) as raised:
        at(tmp_path / "new.db").load(io.BytesIO(base), INCREMENT, increments=map(io.BytesIO, parts))
    assert raised.value.message == "The increments do not fit the backup that they are to build on."
    assert raised.value.why == "What was put together is not the file that was backed up."
    assert not list(tmp_path.glob("new.db*"))
