"""handrail called through the command line on small projects: how each call ended, with nothing secret said."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project
from support.warm import call

SECRET = "s3cr3t-열쇠"
ROWS = [(1, "파이썬 학습"), (2, "API 개발")]
NEXT = Script("c3", "b2", 'op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))', doc="third")


@dataclass(frozen=True, slots=True)
class Said:
    """How one call of handrail ended; the folder of the test reads as <here>, the last paragraph is the error."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        lines = self.err.splitlines()
        begin = max((n for n, line in enumerate(lines) if line.startswith("HR")), default=len(lines))
        return "\n".join(lines[begin:])


def handrail(folder: Path, *words: str, before: Callable[[], None] | None = None, **variables: str) -> Said:
    """Call handrail in `folder`; `before` runs in its process first. Neither what it says nor what it keeps may hold
    the secret."""
    environment = {**{key: value for key, value in os.environ.items() if key != "ENV"}, "NO_COLOR": "1", **variables}
    done = call(*words, cwd=folder, env=environment, timeout=180, before=before)
    assert "Traceback" not in done.stderr
    kept = [file.read_bytes() for file in (folder / ".handrail").rglob("*") if file.is_file()]
    for said in (done.stdout.encode(), done.stderr.encode(), *kept):
        assert SECRET.encode() not in said
        assert quote(SECRET).encode() not in said
    return Said(done.returncode, done.stdout, done.stderr.replace(str(folder), "<here>"))


def at_b2(folder: Path, *more: Script) -> Path:
    """A project whose database is at b2, with `more` scripts after it."""
    make_project(folder, revisions=(BOOKINGS, STATUS, *more))
    database_at_b2(folder / "local.db")
    return folder


def without_power() -> None:
    """Root without the right to pass by file modes; nothing for other users."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
            assert libc.prctl(24, capability, 0, 0, 0) == 0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Make `folder` a disk of that size; False where this user may not mount one."""
    folder.mkdir(exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_mounted = bool(mount and umount) and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run([umount or "umount", str(folder)], check=True)


def postgres_at_b2(folder: Path, server: PostgresServer, *more: Script) -> DatabaseAddress:
    """The same as `at_b2` on a new PostgreSQL database."""
    address = server.clone()
    server.execute(
        address,
        [
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('b2')",
            "CREATE TABLE bookings (id int PRIMARY KEY, topic text, status text)",
            "INSERT INTO bookings VALUES (1, '파이썬 학습'), (2, 'API 개발')",
        ],
    )
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    make_project(folder, revisions=(BOOKINGS, STATUS, *more), url=f"postgresql+psycopg://{where}")
    return address


def assert_postgres_at_b2(server: PostgresServer, address: DatabaseAddress) -> None:
    """The database is as `postgres_at_b2` made it, and no other is left beside it."""
    with server.connect(address) as connection:
        assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("b2",)]
        tables = connection.execute("SELECT relname FROM pg_stat_user_tables ORDER BY 1").fetchall()
        assert tables == [("alembic_version",), ("bookings",)]
        others = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%handrail\\_%'").fetchall()
        assert others == [("handrail_template",)]


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "local.db")) as connection:
        return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()
