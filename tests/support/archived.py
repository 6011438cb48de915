"""Projects whose SQLite database is archived by a real Litestream, started as users start it."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from handrail.backups.moments import ArchiveState
from handrail.facts import DatabaseAddress
from handrail.wiring import read_config
from handrail.wiring_archives import open_archive
from support.calling import Said, at_b2
from support.children import Child
from support.projects import Script

TABLE = '[environments.development.archive]\ntool = "litestream"\nplace = "{place}"\n'


def archived(folder: Path, *more: Script, place: str = "archive") -> Path:
    """A project at b2 whose database is in WAL mode, with an archive configured; nothing keeps it yet."""
    at_b2(folder, *more)
    write(folder, "PRAGMA journal_mode=WAL")
    (folder / "handrail.toml").write_text(TABLE.format(place=place))
    return folder


def write(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "local.db", timeout=30, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement).fetchall()


def read(file: Path, sql: str = "SELECT id, topic, status FROM bookings ORDER BY id") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as raw:
        return raw.execute(sql).fetchall()


@contextmanager
def kept(folder: Path, *words: str) -> Iterator[Child[bytes]]:
    """`handrail archive run`, until everything has arrived; ended at exit as a service ends it."""
    environment = {**{key: value for key, value in os.environ.items() if key != "ENV"}, "NO_COLOR": "1"}
    with (folder / "run.log").open("ab") as log, (folder / "run.out").open("ab") as out:
        command = [sys.executable, "-m", "handrail.cli.main", "archive", "run", *words]
        process = Child[bytes](command, cwd=folder, env=environment, stdout=out, stderr=log)
    try:
        arrived(folder)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


def arrived(folder: Path) -> ArchiveState:
    """Wait until all that was written is in the archive; its state then."""
    archive = open_archive(read_config(folder, "development"), DatabaseAddress("sqlite", str(folder / "local.db")))
    end = time.monotonic() + 30
    while True:
        state = archive.state()
        if state.behind == 0 and not state.problems:
            return state
        assert time.monotonic() < end, f"{state}\n{(folder / 'run.log').read_text()}"
        time.sleep(0.1)


def litestream_of(folder: Path) -> int:
    """The process that keeps the archive."""
    return int((folder / ".handrail" / "archive" / "development" / "running").read_text())


def damage(archive: Path) -> int:
    """Change a byte of every file that holds the newest transaction, which is returned; Litestream may have merged some."""
    last = max(file.stem.partition("-")[2] for file in archive.glob("ltx/*/*.ltx"))
    for file in archive.glob(f"ltx/*/*-{last}.ltx"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
    return int(last, 16)


def now() -> datetime:
    return datetime.now(UTC)


def a_second_later() -> None:
    """So that a moment a second ago is after what has arrived."""
    time.sleep(1.05)


def told(said: Said) -> list[str]:
    """What was printed, without times and digests."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", said.out)
    text = re.sub(r"\d{8}_\d{6}_[0-9a-f]{6}", "<id>", text)
    return re.sub(r"\b[0-9a-f]{32}\b", "<digest>", text).splitlines()
