"""`handrail stamp` is a run like others: alone on its database, and never over an upgrade that waits to be settled."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handrail.journal.file import FileJournal
from support.calling import at_b2, handrail
from support.projects import Script
from support.runs import interrupted


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return at_b2(tmp_path, Script("c3", "b2"))


def stamped(project: Path) -> list[str]:
    with closing(sqlite3.connect(project / "local.db")) as connection:
        return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]


def test_it_is_journalled(project: Path) -> None:
    said = handrail(project, "stamp", "c3", "--yes")
    assert (said.code, said.out, said.error) == (0, "stamped: the database is at c3\n", "")
    (run,) = FileJournal(project / ".handrail" / "journal" / "development").runs()
    assert (run.started.data["command"], run.started.data["target"], run.is_open) == ("stamp", "c3", False)


def test_over_an_interrupted_upgrade(project: Path) -> None:
    """Settled after it, the upgrade would be finished or undone from where the stamp says that it is."""
    here = f"sqlite:///{project}/local.db"
    interrupted(project, "run_1", command="upgrade", database=here, revisions="c3", before="b2")
    said = handrail(project, "stamp", "c3", "--yes")
    assert (said.code, said.error) == (
        11,
        """HR1100 the run run_1 of 2026-01-01 00:00 was interrupted
  why: until it is settled nobody knows whether the database is the old or the new one
  next: handrail recover; to overwrite what it left: handrail recover --keep, then this command again""",
    )
    assert stamped(project) == ["b2"]
    assert handrail(project, "recover", "--keep").code == 0
    assert handrail(project, "stamp", "c3", "--yes").code == 0
    assert stamped(project) == ["c3"]


def test_while_another_run_is_at_work(project: Path) -> None:
    (project / "handrail.toml").write_text('[environments.development]\nlock_wait = "0.2s"\n')
    with (project / "local.db.handrail-lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = handrail(project, "stamp", "c3", "--yes", "--json")
    error = json.loads(said.out)["error"]
    held_by = f"Another handrail run holds {project}/local.db: a run that has just begun."
    assert (said.code, error["message"]) == (9, held_by)
    assert stamped(project) == ["b2"]
