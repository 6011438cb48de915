"""Play the guide's story in a temporary copy of the sample application: on SQLite, and on PostgreSQL if it is at hand.

Both are played at once, to save time, and told one after the other.
Every command shown is really run, and its exit code checked: the demo fails when the product does.
"""

from __future__ import annotations

import fcntl
import os
import pty
import queue
import runpy
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "examples" / "puddingcamp"
SCRIPT = "8c2d47e9b1a0_add_attendance_status_to_bookings.py"
FIRST = "5a1f0c3d2b4e"
ROWS = (("Python", "파이썬 학습", "2024-01-10"), ("FastAPI", "API 개발", "2024-01-15"))
Rows = list[tuple[object, ...]]


def say(text: str) -> None:
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


class Story:
    """One copy of the sample application with one database."""

    def __init__(self, folder: Path, environment: dict[str, str], read: Callable[[str], Rows]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment}
        self.read = read

    def handrail(self, *words: str, exits: int = 0) -> None:
        print(f"$ handrail {' '.join(words)}", flush=True)
        command = [sys.executable, "-m", "handrail.cli.main", *words]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, check=False)
        if done.returncode != exits:
            raise SystemExit(f"demo: handrail {' '.join(words)} exited {done.returncode}, expected {exits}")
        if exits:
            print(f"(exit {exits})", flush=True)

    def copy_story(self, name: str, to: str) -> None:
        shutil.copy(SAMPLE / "story" / name, self.folder / "alembic" / "versions" / to)

    def forget(self, script: str) -> None:
        (self.folder / "alembic" / "versions" / script).unlink()

    def show_table(self) -> None:
        rows = self.read("SELECT * FROM bookings ORDER BY id")
        for row in rows:
            print("   ", " | ".join("NULL" if cell is None else str(cell) for cell in row))

    def killed_upgrade(self) -> None:
        """Start an upgrade and kill it (SIGKILL) as soon as its journal says that it is applying."""
        print("$ handrail upgrade --yes &  kill -9 $!", flush=True)
        command = [sys.executable, "-m", "handrail.cli.main", "upgrade", "--yes"]
        running = subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL)
        journal = self.folder / ".handrail" / "journal"
        known = set(journal.rglob("*.jsonl"))
        while running.poll() is None:
            fresh = set(journal.rglob("*.jsonl")) - known
            if any('"step": "apply"' in path.read_text() for path in fresh):
                break
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()


def play(story: Story, fill: Callable[[], None]) -> None:
    """The guide's story (G2.2, G2.3, G3.2) from an empty database to a recovered one."""
    say("a database at the first revision, with two bookings")
    story.handrail("upgrade", FIRST, "--yes")
    fill()
    story.show_table()
    say("the next script is as autogenerate wrote it: NOT NULL, no server_default. What would happen?")
    story.handrail("plan", "--no-sql")
    say("handrail refuses it (exit 3); told to try all the same, the rehearsal fails on a copy (exit 6)")
    story.handrail("upgrade", "--yes", exits=3)
    story.handrail("upgrade", "--yes", "--no-lint", exits=6)
    story.handrail("current")
    say("the repaired script: server_default added. Guarded, proven, done")
    story.copy_story("repaired_add_attendance_status.py", SCRIPT)
    story.handrail("upgrade", "--yes")
    story.show_table()
    story.handrail("backup", "list")
    say("a script that shortens every description and says so nowhere (exit 6), and one that fails half way (exit 6)")
    story.copy_story("lossy_add_reminder.py", "third.py")
    story.handrail("upgrade", "--yes", exits=6)
    story.copy_story("broken_add_reminder.py", "third.py")
    story.handrail("upgrade", "--yes", exits=6)
    say("a failure that only the live database shows: the application is not well, so everything is brought back (7)")
    story.copy_story("add_reminder.py", "third.py")
    config = story.folder / "pyproject.toml"
    sound = config.read_text(encoding="utf-8")
    unwell = 'restore = "auto"\nhealth = {command = "false", timeout = "0.5s"}'
    config.write_text(sound.replace('restore = "auto"', unwell), encoding="utf-8")
    story.handrail("upgrade", "--yes", exits=7)
    config.write_text(sound, encoding="utf-8")
    story.show_table()
    say("kill -9 in the middle of an upgrade; recover says where the database stands, and the next upgrade goes on")
    story.killed_upgrade()
    story.handrail("recover", "--yes")
    story.handrail("upgrade", "--yes")
    story.show_table()
    story.handrail("status")


@contextmanager
def copied() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="handrail-demo-") as name:
        folder = Path(name) / "puddingcamp"
        shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".handrail", "*.db*"))
        runpy.run_path(str(folder / "story" / "rewind.py"))["rewind"](folder)
        yield folder


def on_sqlite() -> None:
    say("handrail on SQLite")
    with copied() as folder:

        def read(sql: str) -> Rows:
            with sqlite3.connect(folder / "local.db") as connection:
                rows = connection.execute(sql).fetchall()
            connection.close()
            return rows

        def fill() -> None:
            with sqlite3.connect(folder / "local.db") as connection:
                sql = 'INSERT INTO bookings (topic, description, "when") VALUES (?, ?, ?)'
                connection.executemany(sql, ROWS)
            connection.close()

        play(Story(folder, {"ENV": "development"}, read), fill)


def on_postgresql() -> None:
    import psycopg

    from handrail.databases.postgres.binaries import find_server_binaries
    from handrail.databases.postgres.cluster import ThrowawayCluster

    binaries = find_server_binaries()
    if not binaries:
        say("PostgreSQL: no server programs at hand, this half of the story is left out (install postgresql to see it)")
        return
    say(f"the same story on PostgreSQL {binaries[-1].version}, in a throwaway server")
    with copied() as folder, ThrowawayCluster(binaries[-1]) as cluster:
        address = cluster.address
        where: dict[str, Any] = {"host": address.host, "port": address.port, "user": address.user}
        where["password"] = address.password
        with psycopg.connect(**where, dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE puddingcamp")
        where["dbname"] = "puddingcamp"

        def read(sql: str) -> Rows:
            with psycopg.connect(**where) as connection:
                return list(connection.execute(sql.encode()).fetchall())

        def fill() -> None:
            with psycopg.connect(**where) as connection, connection.cursor() as cursor:
                sql = 'INSERT INTO bookings (topic, description, "when") VALUES (%s, %s, %s)'
                cursor.executemany(sql, ROWS)

        url = f"postgresql://{address.user}:{quote(address.password)}@{address.host}:{address.port}/puddingcamp"
        play(Story(folder, {"ENV": "staging", "STAGING_DATABASE_URL": url}, read), fill)


class Aside:
    """This program telling another story meanwhile; what it says is kept until `show`, as if told afterwards."""

    def __init__(self, name: str) -> None:
        ours, theirs = pty.openpty() if sys.stdout.isatty() else os.pipe()
        if sys.stdout.isatty():
            size = os.get_terminal_size()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size.lines, size.columns, 0, 0))
        command = [sys.executable, __file__, name]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()

    def _listen(self, ours: int) -> None:
        more = b"-"
        while more:
            try:
                more = os.read(ours, 65536)
            except OSError:  # how a terminal ends
                more = b""
            self._said.put(more)

    def show(self) -> None:
        """Say what it has said, and on to its end; fails when it failed."""
        while more := self._said.get():
            sys.stdout.buffer.write(more)
            sys.stdout.flush()
        if self._process.wait():
            raise SystemExit(self._process.returncode)

    def end(self) -> None:
        """Not to be left behind when the other story fails: SIGINT lets it end its server."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()


STORIES = {"sqlite": on_sqlite, "postgresql": on_postgresql}


def main() -> None:
    started = time.monotonic()
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            STORIES[name]()
        return
    other = Aside("postgresql")
    try:
        on_sqlite()
        other.show()
    finally:
        other.end()
    say(f"the end: everything above was really run, in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
