"""`--json`: every command prints exactly one document with version, command and result or error, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from handrail.cli.main import app
from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project, write_script

NEXT = Script(
    "c3",
    "b2",
    'op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))',
    'op.drop_table("extra")',
    doc="third",
)
UPGRADE_KEYS = [
    "run_id", "direction", "start", "target", "revisions", "backup", "rehearsal", "proof", "health", "warnings", "seconds",
]  # fmt: skip
BACKUP_KEYS = [
    "id", "created_at", "environment", "database", "revisions", "size", "rows", "verified_at", "reason",
]  # fmt: skip
#: Command line, exit code, and the keys of its result (None: it ends with an error
#: and no result is looked for; a check that fails has both). They build on one another.
CALLS: tuple[tuple[str, int, list[str] | None], ...] = (
    ("init --yes", 0, ["written", "database", "is_async"]),
    ("init --yes", 2, None),
    ("doctor", 0, ["probes"]),
    ("current", 0, ["current", "heads", "database"]),
    ("history --verbose", 0, ["current", "revisions"]),
    ("check", 4, ["pending", "differences"]),
    ("plan", 0, ["revisions", "sql", "findings", "refused", "steps"]),
    ("rehearse", 0, ["backup", "rehearsal"]),
    ("rehearse --on mysql", 2, None),
    ("backup list", 0, ["backups", "unreadable"]),
    ("upgrade nosuch --yes", 2, None),
    ("upgrade --yes", 0, UPGRADE_KEYS),
    ("upgrade --yes", 0, ["run_id", "revisions", "current"]),
    ("plan", 0, ["revisions", "steps"]),
    ("rehearse", 0, ["revisions"]),
    ("downgrade -1 --yes", 0, UPGRADE_KEYS),
    ("stamp c3", 10, None),
    ("stamp c3 --yes", 0, ["before", "current"]),
    ("stamp b2 --yes", 0, ["before", "current"]),
    ("backup create", 0, BACKUP_KEYS),
    ("backup verify", 0, BACKUP_KEYS),
    ("backup show nosuch", 5, None),
    ("backup restore latest --into other.db", 0, ["backup", "into", "aside"]),
    ("backup restore latest --in-place", 10, None),
    ("backup restore latest --in-place --yes", 0, ["backup", "into", "aside"]),
    ("recover", 0, ["settled"]),
    ("recover --keep --restore", 2, None),
    (
        "status",
        0,
        [
            "environment",
            "database",
            "current",
            "heads",
            "pending",
            "last_backup",
            "last_verified_backup",
            "interrupted_runs",
        ],
    ),
)
ERROR_KEYS = ["code", "exit_code", "message", "why", "hint"]
SHOWN = "backup show"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT))
    database_at_b2(folder / "local.db")
    write_script(folder, NEXT)
    return folder


def document(folder: Path, words: str, code: int) -> dict[str, Any]:
    """The whole of stdout, which must be one document."""
    done = subprocess.run(
        [sys.executable, "-m", "handrail.cli.main", *words.split(), "--json"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "ENV"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, f"{words} exited {done.returncode}\n{done.stdout}{done.stderr}"
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_every_call_prints_one_document(project: Path) -> None:
    """One test, as the calls build on one another and the suite runs in random order."""
    for words, code, keys in CALLS:
        check_document(words, code, keys, document(project, words, code))


def check_document(words: str, code: int, keys: list[str] | None, read: dict[str, Any]) -> None:
    assert read["version"] == 1
    assert words.startswith(read["command"])
    if code:
        assert [key for key in read if key != "result"] == ["version", "command", "error"], words
        assert keys is None or list(read["result"]) == keys, words
        assert list(read["error"]) == ERROR_KEYS, words
        assert read["error"]["exit_code"] == code
        assert read["error"]["message"]
    else:
        assert list(read) == ["version", "command", "result"], words
        assert list(read["result"]) == keys, words


def test_show_prints_the_manifest(project: Path) -> None:
    assert document(project, "backup create --no-verify", 0)["result"]["verified_at"] is None
    shown = document(project, SHOWN, 0)["result"]
    assert (shown["revisions"], shown["engine"], shown["format"]) == (["b2"], "sqlite", "sqlite-pages")


def test_every_command_is_called_above() -> None:
    group = typer.main.get_command(app)
    names = {
        f"{name} {below}".rstrip()
        for name, command in group.commands.items()  # type: ignore[attr-defined]
        for below in getattr(command, "commands", {"": None})
    }
    called = {*(words for words, _, _ in CALLS), SHOWN}
    assert {name for name in names if not any(words.startswith(name) for words in called)} == set()
