"""A copy of the sample application with rows in it, driven through the command line, on SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from handrail.facts import DatabaseAddress
from support.children import Child
from support.warm import call

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "puddingcamp"
FIRST, SECOND, THIRD = "5a1f0c3d2b4e", "8c2d47e9b1a0", "b7e3916d0c52"
SECOND_SCRIPT = f"{SECOND}_add_attendance_status_to_bookings.py"
ROWS = (("Python", "파이썬 학습", "2024-01-10"), ("FastAPI", "API 개발", "2024-01-15"))
Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]


@dataclass(frozen=True, slots=True)
class Story:
    """One copy. `query` runs SQL on its database and commits."""

    folder: Path
    environment: dict[str, str]
    query: Query

    @property
    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "NO_COLOR": "1"}

    def start(self, *words: str) -> Child[str]:
        """handrail, started afresh; a test may end it."""
        return Child(
            [sys.executable, "-m", "handrail.cli.main", *words],
            cwd=self.folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, exits: int = 0) -> tuple[str, str]:
        """Run handrail; returns stdout and stderr, and fails with both when the exit code is another one."""
        done = call(*words, cwd=self.folder, env=self._variables)
        said = f"{done.stdout}{done.stderr}"
        assert done.returncode == exits, f"handrail {' '.join(words)} exited {done.returncode}\n{said}"
        return done.stdout, done.stderr

    def result(self, *words: str, exits: int = 0) -> Any:
        """The whole `--json` document."""
        return json.loads(self.run(*words, "--json", exits=exits)[0])

    def put(self, story: str, name: str = "third.py") -> None:
        shutil.copy(SAMPLE / "story" / story, self.folder / "alembic" / "versions" / name)

    def fill(self) -> None:
        """The first revision, with the guide's two rows (G2.3)."""
        self.run("upgrade", FIRST, "--yes")
        for topic, description, when in ROWS:
            self.query(
                f"INSERT INTO bookings (topic, description, \"when\") VALUES ('{topic}', '{description}', '{when}')"
            )

    def repaired(self) -> None:
        self.put("repaired_add_attendance_status.py", SECOND_SCRIPT)

    def revision(self) -> str:
        rows = self.query("SELECT version_num FROM alembic_version")
        return ",".join(row[0] for row in rows)

    def topics(self) -> Rows:
        return self.query("SELECT id, topic, description FROM bookings ORDER BY id")

    def journals(self) -> set[Path]:
        return set((self.folder / ".handrail" / "journal").rglob("*.jsonl"))


def _copied(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".handrail", "*.db*")
    copy = Path(shutil.copytree(SAMPLE, folder / "puddingcamp", ignore=ignored))
    runpy.run_path(str(copy / "story" / "rewind.py"))["rewind"](copy)
    return copy


def on_sqlite(folder: Path, copied: Path | None = None) -> Story:
    """A story in `folder`, or in a copy of the application that is there already."""
    copy = copied or _copied(folder)

    def query(sql: str) -> Rows:
        with closing(sqlite3.connect(copy / "local.db")) as connection:
            rows = connection.execute(sql).fetchall()
            connection.commit()
        return rows

    return Story(copy, {"ENV": "development"}, query)


def on_postgres(folder: Path, address: DatabaseAddress, copied: Path | None = None) -> Story:
    """The same on PostgreSQL."""
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"

    def query(sql: str) -> Rows:
        with psycopg.connect(f"postgresql://{where}") as connection:
            cursor = connection.execute(sql.encode())
            return list(cursor.fetchall()) if cursor.description else []

    environment = {"ENV": "staging", "STAGING_DATABASE_URL": f"postgresql://{where}"}
    return Story(copied or _copied(folder), environment, query)
