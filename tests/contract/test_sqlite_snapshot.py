"""Dumps of a SQLite database that another process writes to all the while, and replacements that are killed."""

from __future__ import annotations

import io
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from handrail.backups.methods import DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.sqlite import digest, pages
from handrail.databases.sqlite.connection import begin_snapshot
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from support.children import Child

INCREMENT = DumpRequest(Format.SQLITE_INCREMENT)
#: Moves money between two tables: the sum over both never changes; grows and shrinks the file; checkpoints at random.
HAMMER = """
import random, sqlite3, sys
path, seed = sys.argv[1], int(sys.argv[2])
dice = random.Random(seed)
raw = sqlite3.connect(path, timeout=60, isolation_level=None)
raw.execute(f"PRAGMA wal_autocheckpoint={dice.choice([5, 50, 1000])}")
raw.execute("PRAGMA synchronous=OFF")
count = 0
while True:
    raw.execute("BEGIN IMMEDIATE")
    for _ in range(dice.randrange(1, 20)):
        amount, row, other = dice.randrange(100), dice.randrange(1, 3000), dice.randrange(1, 3000)
        raw.execute("UPDATE here SET amount = amount - ? WHERE id = ?", (amount, row))
        note = "x" * dice.randrange(900)
        raw.execute("UPDATE there SET amount = amount + ?, note = ? WHERE id = ?", (amount, note, other))
    raw.execute("INSERT INTO here (amount, note) VALUES (0, hex(randomblob(600)))")
    raw.execute("INSERT INTO there (amount, note) VALUES (0, '')")
    if not dice.randrange(10):
        raw.execute("DELETE FROM here WHERE id > 3500")
        raw.execute("DELETE FROM there WHERE id > 3500")
    raw.execute("COMMIT")
    count += 1
    if not dice.randrange(15):
        raw.execute("PRAGMA busy_timeout=0")
        raw.execute(f"PRAGMA wal_checkpoint({dice.choice(['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'])})").fetchall()
        raw.execute("PRAGMA busy_timeout=60000")
    if count == 5:
        print("running", flush=True)
"""

REPLACE = """
import sys
from pathlib import Path
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
live, dump, aside = sys.argv[1:]
database = SqliteDatabase(DatabaseAddress("sqlite", live), work_dir=Path(live).parent / "work")
print("begin", flush=True)
with open(dump, "rb") as source:
    database.replace(source, aside=aside)
print("end", flush=True)
"""


def database_at(path: Path) -> SqliteDatabase:
    return SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")


def make_accounts(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(f"PRAGMA journal_mode={mode}")
        for table in ("here", "there"):
            raw.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, amount INTEGER, note TEXT)")
            raw.executemany(
                f"INSERT INTO {table} (amount, note) VALUES (?, ?)", ((1000, "n" * 800) for _ in range(3000))
            )


@contextmanager
def hammering(path: Path, seed: int) -> Iterator[Child[str]]:
    writer = Child(
        [sys.executable, "-c", HAMMER, str(path), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "running\n"
            yield writer
            assert writer.poll() is None, "the writer died"
        finally:
            writer.kill()


def judged(path: Path) -> tuple[str, int, int]:
    """(integrity, balance difference, rows apart) of a loaded copy."""
    with closing(sqlite3.connect(path)) as raw:
        (integrity,) = raw.execute("PRAGMA integrity_check").fetchone()
        (total,) = raw.execute("SELECT (SELECT sum(amount) FROM here) + (SELECT sum(amount) FROM there)").fetchone()
        (apart,) = raw.execute("SELECT (SELECT count(*) FROM here) - (SELECT count(*) FROM there)").fetchone()
    return str(integrity), int(total), int(apart)


@pytest.mark.parametrize("mode", ["wal", "delete", "truncate", "persist"])
def test_every_dump_under_a_hammering_writer_is_one_instant(tmp_path: Path, mode: str) -> None:
    live = tmp_path / "live.db"
    make_accounts(live, mode)
    seen = set()
    with hammering(live, seed=sum(mode.encode())):
        for _ in range(20):
            out = io.BytesIO()
            report = database_at(live).dump(out)
            out.seek(0)
            with database_at(live).scratch("hammered") as copy:
                copy.load(out)
                assert copy.fingerprint() == report.fingerprint
                assert copy.facts() == report.facts
                assert judged(Path(copy.address.database)) == ("ok", 6_000_000, 0)
            seen.add(str(report.fingerprint.tables[0].digests))
    assert len(seen) > 10
    assert judged(live) == ("ok", 6_000_000, 0)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_every_increment_under_a_hammering_writer_is_one_instant(tmp_path: Path, mode: str) -> None:
    live = tmp_path / "live.db"
    make_accounts(live, mode)
    base, parts = io.BytesIO(), list[bytes]()
    with hammering(live, seed=len(mode)):
        inventory = database_at(live).dump(base).inventory
        for _ in range(8):
            out = io.BytesIO()
            report = database_at(live).dump(out, DumpRequest(Format.SQLITE_INCREMENT, since=inventory))
            inventory = report.inventory
            parts.append(out.getvalue())
            with database_at(live).scratch("hammered", INCREMENT) as copy:
                copy.load(io.BytesIO(base.getvalue()), INCREMENT, increments=map(io.BytesIO, parts))
                assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
                assert judged(Path(copy.address.database)) == ("ok", 6_000_000, 0)
    assert min(map(len, parts)) > 100_000  # the writer did not wait


class Slow(io.BytesIO):
    """A store that lets the writer go on for a while between two pieces."""

    def __init__(self, live: Path) -> None:
        super().__init__()
        self._live = live

    def write(self, data: object) -> int:
        with closing(sqlite3.connect(self._live, timeout=30)) as raw:
            (before,) = raw.execute("PRAGMA data_version").fetchone()
            deadline = time.monotonic() + 5
            while raw.execute("PRAGMA data_version").fetchone() == (before,) and time.monotonic() < deadline:
                threading.Event().wait(0.002)
        return super().write(data)  # type: ignore[arg-type]  # whatever BytesIO takes


def test_a_wal_that_another_program_gives_the_file_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question for the journal mode and the first read, when no lock is held; its rows are in the WAL."""
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("CREATE TABLE t (a)")
    writers: list[sqlite3.Connection] = []

    def begin(raw: sqlite3.Connection) -> None:
        if not writers:
            writer = sqlite3.connect(path, isolation_level=None)
            writers.append(writer)
            writer.execute("PRAGMA journal_mode=WAL").fetchone()
            writer.execute("INSERT INTO t VALUES (1)")
        begin_snapshot(raw)

    monkeypatch.setattr(pages, "begin_snapshot", begin)
    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=tmp_path / "work")
    out = io.BytesIO()
    report = database.dump(out)
    writers[0].close()
    assert [table.rows for table in report.fingerprint.tables] == [1]
    with database.scratch("run") as copy:
        copy.load(io.BytesIO(out.getvalue()))
        assert copy.fingerprint().tables == report.fingerprint.tables


def test_a_wal_dump_stays_one_instant_however_slowly_it_is_written(tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    make_accounts(live, "wal")
    with hammering(live, seed=7):
        out = Slow(live)
        report = database_at(live).dump(out)
        out.seek(0)
        with database_at(live).scratch("slow") as copy:
            copy.load(out)
            assert copy.fingerprint() == report.fingerprint
            assert judged(Path(copy.address.database)) == ("ok", 6_000_000, 0)
    assert report.fingerprint.algorithm == digest.ALGORITHM


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_killed_replace_leaves_the_old_or_the_new_content(tmp_path: Path, mode: str) -> None:
    live, dump = tmp_path / "live.db", tmp_path / "dump.bin"
    make_accounts(live, mode)
    with dump.open("wb") as out:
        new = database_at(live).dump(out).fingerprint
    endings = {"old": 0, "new": 0}
    for number in range(14):
        with closing(sqlite3.connect(live)) as raw, raw:
            raw.execute("UPDATE here SET amount = ?, note = note || 'y'", (number,))
            raw.execute("DELETE FROM there WHERE id > 1500")
        old = database_at(live).fingerprint()
        kill_a_replace(live, dump, f"failed_{number}", after=random.Random(number).random() * 0.08)
        now = database_at(live).fingerprint()
        assert now in (old, new)
        endings["old" if now == old else "new"] += 1
        with closing(sqlite3.connect(live)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        aside = live.with_name(f"live.db.failed_{number}")
        assert not aside.exists() or database_at(aside).fingerprint() == old
        assert now == old or aside.exists()
        database_at(live).end_leftovers(f"failed_{number}")
    assert list(tmp_path.glob("*.incoming*")) == []
    assert set(endings) == {"old", "new"}


def kill_a_replace(live: Path, dump: Path, aside: str, after: float) -> None:
    command = [sys.executable, "-c", REPLACE, str(live), str(dump), aside]
    with Child(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begin\n"
        threading.Event().wait(after)
        child.send_signal(signal.SIGKILL)


def test_replace_reaches_connections_that_stay_open(tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    make_accounts(live, "wal")
    out = io.BytesIO()
    database_at(live).dump(out)
    out.seek(0)
    # In a process of its own, as an application is: closing a dump's descriptors drops POSIX locks of this process.
    app = (
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('UPDATE here SET amount=5'); c.commit();"
        "print('ready',flush=True); sys.stdin.readline();"
        "print(c.execute('SELECT sum(amount) FROM here').fetchone()[0],flush=True)"
    )
    with Child(
        [sys.executable, "-c", app, str(live)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        database_at(live).replace(out, aside="failed")
        assert child.communicate("go\n")[0] == "3000000\n"
    assert judged(live) == ("ok", 6_000_000, 0)
