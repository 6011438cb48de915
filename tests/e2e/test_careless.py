"""Careless calls around backups: what is said names the way on, and that way works."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import ROWS, Said, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one backup, to be copied."""
    folder = at_b2(tmp_path_factory.mktemp("whole"))
    assert handrail(folder, "backup", "create").code == 0
    return folder


@pytest.fixture
def project(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "project")


def _latest(project: Path) -> str:
    said = handrail(project, "backup", "show", "--json")
    found: str = json.loads(said.out)["result"]["run_id"]
    return found


def test_into_the_live_database(project: Path) -> None:
    (project / "link.db").symlink_to("local.db")
    for name in ("local.db", "../project/local.db", "link.db", f"sqlite:///{project}/local.db"):
        said = handrail(project, "backup", "restore", "latest", "--into", name)
        message, *rest = said.error.splitlines()
        assert (said.code, message.endswith(" is the live database"), rest) == (
            2,
            True,
            [
                "  why: --into makes a new one",
                "  next: choose another name, or replace the live one, which is kept aside: --in-place",
            ],
        )
    assert rows(project) == ROWS


def test_into_the_live_database_of_a_server(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    try:
        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", address.database)
        assert (said.code, said.error) == (
            2,
            f"HR200 {address} is the live database\n"
            "  why: --into makes a new one\n"
            "  next: choose another name, or replace the live one, which is kept aside: --in-place",
        )
    finally:
        postgres_server.drop(address.database)


def test_into_a_folder_that_is_missing(project: Path) -> None:
    said = handrail(project, "backup", "restore", "latest", "--into", "sub/new.db")
    assert said.error == (
        "HR230 <here>/sub/new.db cannot be made.\n"
        "  why: No such file or directory\n"
        "  next: Make the folder: mkdir -p <here>/sub"
    )
    (project / "sub").mkdir()
    assert handrail(project, "backup", "restore", "latest", "--into", "sub/new.db").code == 0


def test_into_a_variable_that_is_not_set(project: Path) -> None:
    said = handrail(project, "backup", "restore", "latest", "--into", "env:NOWHERE")
    assert (said.code, said.error) == (
        2,
        "HR210 the environment variable NOWHERE is not set\n"
        "  why: --into takes the new database's URL from it\n"
        "  next: export NOWHERE=sqlite:////path/of/file.db",
    )


def test_in_place_of_nothing(project: Path) -> None:
    (project / "local.db").unlink()
    said = handrail(project, "backup", "restore", "latest", "--in-place", "--yes")
    assert (said.code, said.out.splitlines()[0]) == (0, f"restored {_latest(project)}; there was no database before")
    assert said.err.splitlines()[-1].endswith("; there was no database before")
    assert rows(project) == ROWS


def test_a_damaged_file_and_what_is_said_to_type(project: Path) -> None:
    """The way that the message names is typed as it stands there."""
    (project / "local.db").write_bytes(b"no database any more, " * 500)
    said = handrail(project, "status")
    assert (said.code, said.error) == (
        2,
        "HR230 the database sqlite:///<here>/local.db cannot be read\n"
        "  why: DatabaseError: file is not a database\n"
        "  next: if it is damaged, move it away (with local.db-wal, where there is one), and bring the last proven backup"
        " back: mv <here>/local.db <here>/local.db.damaged; handrail backup restore verified --in-place",
    )
    (project / "local.db").rename(project / "local.db.damaged")
    assert handrail(project, "backup", "restore", "verified", "--in-place", "--yes").code == 0
    assert rows(project) == ROWS


def test_a_copy_to_where_it_lies(project: Path) -> None:
    said = handrail(project, "backup", "copy", "latest", "--to", ".handrail/store")
    assert said == Said(0, f"{_latest(project)} is in {project}/.handrail/store: it was there already, whole\n", "")


def test_further_down_than_there_is(project: Path) -> None:
    said = handrail(project, "downgrade", "-9")
    assert said.error == (
        "HR220 Relative revision -9 didn't produce 9 migrations\n  next: handrail history shows the revisions there are"
    )


def test_in_a_folder_that_is_gone(project: Path, tmp_path: Path) -> None:
    def call(*words: str) -> tuple[int, str, str]:
        gone = tmp_path / "gone"
        gone.mkdir()
        script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
        words = ("sh", "-c", script, "sh", str(gone), sys.executable, "-m", "handrail.cli.main", *words)
        done = subprocess.run(words, env={**os.environ, "PWD": "/"}, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert call("status") == (
        2,
        "",
        "HR200 the folder that this runs in is gone\n"
        "  why: somebody deleted or moved it\n"
        "  next: cd into the project's folder, or name it: --project FOLDER\n",
    )
    code, out, _ = call("status", "--project", str(project))
    assert (code, out.splitlines()[1]) == (0, f"database       sqlite:///{project / 'local.db'}")


def test_a_terminal_that_knows_ascii_only(project: Path) -> None:
    """Whatever a stream cannot show is written in another way: how a call ends does not depend on it."""
    for into in ("größe.db", "gro\udcf6e.db"):
        said = handrail(project, "backup", "restore", "latest", "--into", into, PYTHONIOENCODING="ascii")
        assert (said.code, "HR100" in said.err) == ((0, False) if into == "größe.db" else (2, False)), said
    with closing(sqlite3.connect(project / "größe.db")) as connection:
        assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS


@pytest.mark.parametrize(
    "words", [("note", "latest", "gr\udcf6\udcdfe"), ("pin", "latest", "gr\udcf6\udcdfe")], ids=["note", "pin"]
)
def test_words_that_are_no_utf_8(project: Path, words: tuple[str, ...]) -> None:
    said = handrail(project, "backup", *words)
    assert (said.code, said.error) == (
        2,
        "HR200 'gr\\udcf6\\udcdfe' is no text in UTF-8\n"
        "  why: it is written into a document, which has to be read elsewhere\n"
        "  next: use a terminal and a locale of UTF-8 (LC_ALL=C.UTF-8)",
    )
