"""Backups of large databases, against what copies the same bytes in the same minute: time in proportion, memory flat.

HANDRAIL_GROWTH names the sizes in GB ("0.1,1,10"); the figures are in docs/campaigns.md."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import at_b2, postgres_at_b2
from support.children import Child
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.long
SIZES = [float(text) for text in os.environ.get("HANDRAIL_GROWTH", "0.1,1").split(",")]
ROWS_PER_GB = 1_000_000
#: Of handrail itself, at any size.
MOST_MIB = 200
#: How many times slower than what only copies it may become when the database is ten times larger.
SLOWER = 2.0


def timed(words: list[str], folder: Path, **variables: str) -> tuple[float, int]:
    """Seconds, and the peak memory of the process itself in MiB; fails with what it says."""
    began, peak = time.monotonic(), 0
    with (folder / "said").open("wb") as said:
        process = Child(words, cwd=folder, env={**os.environ, "NO_COLOR": "1", **variables}, stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(0.02)
    assert process.returncode == 0, (folder / "said").read_text()
    return time.monotonic() - began, peak


def memory(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in text.splitlines() if line.startswith("VmHWM")), 0)


def handrail(folder: Path, *words: str) -> tuple[float, int]:
    return timed([sys.executable, "-m", "handrail.cli.main", *words], folder)


def measured(name: str, size: float, folder: Path, plain: Callable[[], float]) -> float:
    """Print one line; the seconds of making and verifying, in seconds of what only copies."""
    base = plain()
    made, one = handrail(folder, "backup", "create", "--no-verify")
    proven, other = handrail(folder, "backup", "verify")
    print(
        f"| {name} | {size:g} GB | {base:.1f} s | {made:.1f} s, {made / base:.1f} | {proven:.1f} s, {proven / base:.1f}"
        f" | {one} / {other} MiB |"
    )
    assert max(one, other) <= MOST_MIB
    return (made + proven) / base


def fill_sqlite(path: Path, size: float) -> None:
    """Rows of about 1 kB, half of it of the same words again and again."""
    chance = random.Random(1)
    rows = int(size * ROWS_PER_GB)
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("PRAGMA synchronous=OFF; CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, data BLOB);")
        words = "the same words again and again. " * 15
        for start in range(0, rows, 20_000):
            raw.executemany(
                "INSERT INTO notes (text, data) VALUES (?, ?)",
                ((f"{number} {words}", chance.randbytes(500)) for number in range(start, min(rows, start + 20_000))),
            )
            raw.commit()


def copied(path: Path, folder: Path) -> float:
    began = time.monotonic()
    with path.open("rb") as source, (folder / "copy").open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
        os.fsync(out.fileno())
    (folder / "copy").unlink()
    return time.monotonic() - began


def assert_in_proportion(found: list[float]) -> None:
    """A start takes its time, so what is small looks slow."""
    assert all(later <= SLOWER * earlier for earlier, later in itertools.pairwise(found)), found


def test_sqlite(tmp_path: Path) -> None:
    found = []
    for size in SIZES:
        folder = at_b2(tmp_path / f"{size:g}")
        fill_sqlite(folder / "local.db", size)
        found.append(measured("SQLite, cp", size, folder, lambda: copied(folder / "local.db", folder)))  # noqa: B023
        shutil.rmtree(folder)
    assert_in_proportion(found)


def test_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    found = []
    for size in SIZES:
        folder = tmp_path / f"{size:g}"
        address = postgres_at_b2(folder, postgres_server)
        postgres_server.execute(
            address,
            [
                "CREATE TABLE notes (id int PRIMARY KEY, text text, data bytea)",
                "INSERT INTO notes SELECT n, n || repeat(' the same words again', 24),"
                " decode(string_agg(md5(n || '-' || k), ''), 'hex') FROM"
                f" generate_series(1, {int(size * ROWS_PER_GB)}) n, generate_series(1, 31) k GROUP BY n",
            ],
        )
        program = str(postgres_server.cluster.binaries.bin_dir / "pg_dump")
        words = [program, "-Fc", "--compress=zstd:1", f"--file={folder / 'dump'}", f"--dbname={address.database}"]
        words += [f"--host={address.host}", f"--port={address.port}", f"--username={address.user}"]

        def plain(words: list[str] = words, folder: Path = folder, password: str = address.password) -> float:
            return timed(words, folder, PGPASSWORD=password)[0]

        found.append(measured("PostgreSQL, pg_dump", size, folder, plain))
        postgres_server.drop(address.database)
        shutil.rmtree(folder)
    assert_in_proportion(found)
