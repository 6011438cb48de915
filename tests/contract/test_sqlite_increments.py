"""Increments of SQLite files: whatever was changed, the parts make the same file again, and wrong ones are refused."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.database import DumpReport
from handrail.databases.sqlite import readers, units
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.inventory import FIRST_PIECE, Inventory, Known, piece_of, read_known
from handrail.databases.sqlite.rows import Part, PartDigest, digest_part
from handrail.databases.sqlite.unchanged import Memory
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress

INCREMENT = DumpRequest(Format.SQLITE_INCREMENT)
TABLE = "CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT)"
#: Rows with BLOBs, rows that do not fit a page, one without rowids, one whose columns hide them, one with an index.
OTHERS = (
    "CREATE TABLE files (name TEXT, content BLOB)",
    "CREATE TABLE pairs (a INT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "CREATE TABLE hidden (rowid INT, oid INT, _rowid_ INT)",
    "CREATE TABLE made (id INTEGER PRIMARY KEY, twice INT GENERATED ALWAYS AS (id * 2))",
    "CREATE INDEX names ON rooms (name)",
    "INSERT INTO files SELECT name, CASE id % 5 WHEN 0 THEN CAST(name AS BLOB) ELSE id END FROM rooms WHERE id < 2000",
    "INSERT INTO files SELECT name, zeroblob(id * 40) FROM rooms WHERE id < 90",
    "INSERT INTO pairs SELECT id, name FROM rooms WHERE id < 3000",
    "INSERT INTO hidden SELECT id, id, id FROM rooms WHERE id < 1000",
    "INSERT INTO made SELECT id FROM rooms WHERE id < 1000",
)
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
    "UPDATE rooms SET name = NULL WHERE id % 100 = 7",
    "UPDATE files SET content = zeroblob(20) WHERE rowid = 700",
    "UPDATE files SET content = zeroblob(9000) WHERE rowid = 2050",
    "UPDATE files SET content = CAST(name AS BLOB) WHERE rowid % 50 = 0",
    "DELETE FROM files WHERE rowid % 3 = 0",
    "UPDATE pairs SET b = 'b' WHERE a = 1000",
    "UPDATE hidden SET oid = -1 WHERE oid = 500",
    "INSERT OR REPLACE INTO rooms VALUES (-5, 'below'), (1 << 40, 'far')",
    "ALTER TABLE rooms ADD COLUMN c{} DEFAULT 'x'",
    "ALTER TABLE rooms RENAME TO other",
    "ALTER TABLE other RENAME TO rooms",
    "PRAGMA auto_vacuum=FULL",
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


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([512, 4096, 65536]),
    st.booleans(),
    st.lists(st.lists(st.sampled_from(EDITS), min_size=1, max_size=3), max_size=4),
)
def test_parts_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, page_size: int, is_fine: bool, edits: Sequence[Sequence[str]]
) -> None:
    """And what is known of units that were not read is what reading finds."""
    folder = tmp_path_factory.mktemp("increments")
    file = folder / "live.db"
    run(file, f"PRAGMA page_size={page_size}", TABLE, ROWS, *OTHERS)
    database = at(file)
    with pytest.MonkeyPatch.context() as patched:
        if not is_fine:
            patched.setattr(units, "_FINE", 0)
        report, base = taken(database, WHOLE)
        parts = []
        for number, some in enumerate(edits):
            for place, edit in enumerate(some):
                with suppress(sqlite3.OperationalError):  # the table is called otherwise now
                    run(file, edit.format(f"{number}_{place}"))
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


def rows_read(database: SqliteDatabase, since: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows an increment reads."""
    read = []

    def counting(raw: sqlite3.Connection, part: Part) -> PartDigest:
        found = digest_part(raw, part)
        read.append(found.rows)
        return found

    monkeypatch.setattr(readers, "digest_part", counting)
    taken(database, replace(INCREMENT, since=since))
    return sum(read)


def test_only_rows_of_changed_pages_are_read(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(live, *OTHERS[1:4], OTHERS[4], *OTHERS[-3:])
    database = at(live)
    report, _ = taken(database, WHOLE)
    generated = 999  # are always read
    assert rows_read(database, report.inventory, monkeypatch) == generated
    run(live, EDITS[0])
    assert generated < rows_read(database, report.inventory, monkeypatch) < generated + 200
    run(live, "UPDATE pairs SET b = 'b' WHERE a = 1000")
    assert rows_read(database, report.inventory, monkeypatch) > generated + 2999


def test_a_page_that_no_tree_has_makes_all_rows_be_read(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be where a long row of an unchanged leaf goes on."""
    run(live, "CREATE TABLE files (name TEXT, content BLOB)", "INSERT INTO files VALUES ('a', zeroblob(9000))")
    report, _ = taken(at(live), WHOLE)
    assert rows_read(at(live), report.inventory, monkeypatch) == 0
    run(live, "UPDATE files SET content = zeroblob(8999) || 'x'")
    assert rows_read(at(live), report.inventory, monkeypatch) == 9001


@pytest.mark.parametrize("harm", ["rows", "sums"])
def test_sums_that_are_not_true_are_found_by_the_proof(live: Path, harm: str) -> None:
    database = at(live)
    report, base = taken(database, WHOLE)
    known = read_known(report.inventory)
    rooms = known.tables["rooms"]
    harmed = replace(rooms, rows=rooms.rows + 1) if harm == "rows" else replace(rooms, total=rooms.total ^ 1)
    known.tables["rooms"] = harmed
    report, part = taken(database, replace(INCREMENT, since=known.written()))
    with database.scratch("made", INCREMENT) as copy:
        copy.load(io.BytesIO(base), INCREMENT, increments=[io.BytesIO(part)])
        found = compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts())
    assert found == {
        "rows": ("table rooms has 9000 rows, the source had 9001",),
        "sums": ("table rooms: rows differ from the source",),
    }[harm]  # fmt: skip


def test_what_was_written_before_there_were_units(live: Path, tmp_path: Path) -> None:
    """An inventory of nothing but the digests of pieces of 16 KiB, and an increment with an entry for each piece."""
    base = live.read_bytes()
    pieces = [base[start : start + FIRST_PIECE] for start in range(0, len(base), FIRST_PIECE)]
    inventory = b"".join(blake3(piece).digest(16) for piece in pieces)
    run(live, EDITS[0])
    now = live.read_bytes()
    first = io.BytesIO()
    with tarfile.open(fileobj=first, mode="w") as tar:
        for start in range(0, len(now), FIRST_PIECE):
            if now[start : start + FIRST_PIECE] != base[start : start + FIRST_PIECE]:
                add(tar, f"{start // FIRST_PIECE:012d}", now[start : start + FIRST_PIECE])
        add(tar, "size", str(len(now)).encode())
        starts = range(0, len(now), FIRST_PIECE)
        digests = b"".join(blake3(now[start : start + FIRST_PIECE]).digest(16) for start in starts)
        add(tar, "digest", blake3(digests).hexdigest().encode())
    report, second = taken(at(live), replace(INCREMENT, since=inventory))
    assert text(second, "piece") == "16384"
    for number, part in enumerate((first.getvalue(), second)):
        new = tmp_path / f"new{number}.db"
        at(new).load(io.BytesIO(base), INCREMENT, increments=[io.BytesIO(part)])
        assert new.read_bytes() == now
    again, _ = taken(at(live), replace(INCREMENT, since=report.inventory))
    assert again.inventory == report.inventory
    assert again.fingerprint == report.fingerprint == at(live).fingerprint()


#: How a table is made and filled, and how another whose pages hold the same bytes; the rows of the one, of the other.
READ_OTHERWISE: dict[str, tuple[Sequence[str], Sequence[str], list[object], list[object]]] = {
    "a key that is no rowid": (
        ("CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b TEXT)", "INSERT INTO t VALUES (NULL, 'a'), (NULL, 'b')"),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')"),
        [(None, "a"), (None, "b")],
        [(1, "a"), (2, "b")],
    ),
    "a key that is a rowid": (
        ("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')"),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY DESC, b TEXT)", "INSERT INTO t VALUES (NULL, 'a'), (NULL, 'b')"),
        [(1, "a"), (2, "b")],
        [(None, "a"), (None, "b")],
    ),
    "any value": (
        ("CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('a')", "ALTER TABLE t ADD COLUMN b ANY DEFAULT '123'"),
        (
            "CREATE TABLE t (a TEXT) /* ( */ STRICT",
            "INSERT INTO t VALUES ('a')",
            "ALTER TABLE t ADD COLUMN b ANY DEFAULT '123'",
        ),
        [("a", 123)],
        [("a", "123")],
    ),
    "a key with a column twice": (
        (
            "CREATE TABLE t (a TEXT, b TEXT, c TEXT, PRIMARY KEY (a, b, a COLLATE NOCASE)) WITHOUT ROWID",
            "INSERT INTO t VALUES ('x', 'y', 'z')",
            "ALTER TABLE t ADD COLUMN d TEXT",
        ),
        (
            "CREATE TABLE t (a TEXT, b TEXT, c TEXT, d TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
            "INSERT INTO t VALUES ('x', 'y', 'x', 'z')",
        ),
        [("x", "y", "z", None)],
        [("x", "y", "x", "z")],
    ),
}


@pytest.mark.parametrize("how", READ_OTHERWISE)
def test_the_same_bytes_that_are_read_otherwise(tmp_path: Path, how: str) -> None:
    """The table begins at the same page, and no byte of its pages is another."""
    then, now, rows_then, rows_now = READ_OTHERWISE[how]
    file = tmp_path / "live.db"
    run(file, "CREATE TABLE first (a)", *then)
    database = at(file)
    remembering = SqliteDatabase(database.address, work_dir=tmp_path / "work", memory=Memory())
    before = remembering.fingerprint().tables
    report, _ = taken(database, WHOLE)
    page = tree_of(file)
    assert rows_of(file) == rows_then
    run(file, "DROP TABLE t", *now)
    assert (rows_of(file), tree_of(file)) == (rows_now, page)
    report, _ = taken(database, replace(INCREMENT, since=report.inventory))
    assert report.fingerprint.tables == remembering.fingerprint().tables == database.fingerprint().tables != before


def rows_of(file: Path) -> list[object]:
    with closing(sqlite3.connect(file)) as raw:
        return raw.execute("SELECT * FROM t").fetchall()


def tree_of(file: Path) -> tuple[int, bytes]:
    """Where the table t begins, and what its page holds."""
    with closing(sqlite3.connect(file)) as raw:
        (root,) = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 't'").fetchone()
    content = file.read_bytes()[(root - 1) * 4096 : root * 4096]
    head = int.from_bytes(content[3:5], "big") * 2 + 8
    return root, content[:head] + content[int.from_bytes(content[5:7], "big") :]


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def text(part: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(part)) as tar:
        found = tar.extractfile(name)
        assert found is not None
        return found.read().decode()


@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_an_inventory_that_is_not_whole(noise: bytes, cut_at: int) -> None:
    whole = Known(Inventory(bytes(160), 4096), "4096 UTF-8").written()
    document = whole[: cut_at % len(whole)] + noise
    if len(document) == len(whole) or not document.startswith(whole[:30]):
        return
    with pytest.raises(BackupError) as raised:
        read_known(document)
    assert raised.value.message == "What was written about the backup before is not whole."


def test_pieces_grow_with_the_file() -> None:
    most = 3 << 18
    assert [piece_of(4096, count) for count in (0, 1, most, most + 1, 5 * most)] == [4096, 4096, 4096, 8192, 32768]
    assert [piece_of(size, most) for size in (512, 1024, 65536)] == [1024, 1024, 65536]


def test_nothing_changed_is_next_to_nothing(live: Path) -> None:
    report, base = taken(at(live), WHOLE)
    _, part = taken(at(live), replace(INCREMENT, since=report.inventory))
    assert names(part) == ["piece", "size", "digest"]
    assert len(report.inventory) < len(base) // 60  # 16 bytes a page, 24 a leaf


def test_a_row_is_a_few_pieces(live: Path) -> None:
    report, _ = taken(at(live), WHOLE)
    run(live, EDITS[0])
    _, part = taken(at(live), replace(INCREMENT, since=report.inventory))
    assert names(part) == ["piece", "000000.places", "000000.pieces", "size", "digest"]
    first, row = text(part, "000000.places").splitlines()  # the first page counts changes
    assert (first, row.split()[1]) == ("0 1", "1")


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
    with tarfile.open(fileobj=io.BytesIO(part)) as tar:
        place = tar.getmember("000000.pieces").offset_data
    flipped = bytearray(part)
    flipped[place + 600] ^= 1
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
