"""A repair that only a person can tell to be right: asked on a terminal, answered by --confirm, else left alone."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import handrail
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, database_at_b2, make_project
from support.terminal import Terminal, once

UP = 'op.add_column("bookings", sa.Column("{new}", sa.Text()))\nop.drop_column("bookings", "{old}")'
NEXT = Script("c3", "b2", UP.format(new="state", old="status"), UP.format(new="status", old="state"))
SAID = "HR-DL103 drops bookings.status and adds bookings.state with the same type: a rename keeps the values"
WANTED = 'op.alter_column("bookings", "status", new_column_name="state")'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT))
    database_at_b2(folder / "local.db")
    return folder


def script_of(project: Path) -> Path:
    (path,) = (project / "migrations" / "versions").glob("c3_*.py")
    return path


def question(project: Path) -> str:
    path = script_of(project)
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "drop_column" in text)
    where = f"{path.relative_to(project)}:{line}"
    return f"{where} drops bookings.status and adds bookings.state with the same type: is it a rename?"


def test_without_an_answer_nothing_is_changed(project: Path) -> None:
    before, asked = script_of(project).read_bytes(), question(project)
    said = handrail(project, "lint", "--fix")
    told = f"not repaired: {asked} If so: handrail lint --fix --confirm HR-DL103"
    assert (said.code, said.err.splitlines()[0], script_of(project).read_bytes()) == (3, told, before)
    assert handrail(project, "lint", "--diff").out == ""


def test_confirmed_beforehand(project: Path) -> None:
    said = handrail(project, "lint", "--diff", "--confirm", "HR-DL103")
    assert (said.code, f"+    {WANTED}" in said.out) == (3, True)
    assert said.error.splitlines()[-1] == "  next: handrail lint --fix --confirm HR-DL103"
    said = handrail(project, "lint", "--fix", "--confirm", "hr-dl103")
    assert (said.code, said.err.splitlines()[0].partition(" HR")[2]) == (0, SAID.removeprefix("HR"))
    assert WANTED in script_of(project).read_text()
    assert handrail(project, "upgrade", "--yes").code == 0
    with closing(sqlite3.connect(project / "local.db")) as connection:
        assert {row[0] for row in connection.execute("SELECT state FROM bookings")} != {None}


@pytest.mark.parametrize(("keys", "is_renamed"), [(b"y\n", True), (b"\n", False)])
def test_asked_on_a_terminal(project: Path, keys: bytes, is_renamed: bool) -> None:
    asked = question(project)
    terminal = Terminal([sys.executable, "-m", "handrail.cli.main", "lint", "--fix"], project, columns=200)
    code = terminal.run(answer=once("[y/N]", keys))
    assert (code, f"{asked} [y/N]" in terminal.sent) == (0 if is_renamed else 3, True)
    assert (WANTED in script_of(project).read_text()) is is_renamed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("--fix", "--confirm", "HR-DD101"),
            "HR200 --confirm HR-DD101: this rule asks nothing\n"
            "  why: rules whose repair has to be confirmed: HR-DL103\n"
            "  next: handrail lint --fix --confirm HR-DL103",
        ),
        (
            ("--confirm", "HR-DL103"),
            "HR200 --confirm goes with --fix or --diff\n  next: handrail lint --fix --confirm HR-DL103",
        ),
    ],
)
def test_what_cannot_be_confirmed(project: Path, words: tuple[str, ...], error: str) -> None:
    said = handrail(project, "lint", *words)
    assert (said.code, said.error) == (2, error)


MODELS = """import sqlalchemy as sa
target_metadata = sa.MetaData()
sa.Table(
    "bookings",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("topic", sa.String(100), nullable=False),
    sa.Column("state", sa.String(50), nullable=False, server_default="SCHEDULED"),
)
"""


@pytest.mark.story
def test_asked_of_what_autogenerate_writes(tmp_path: Path) -> None:
    env = f"{MODELS}{SYNC_ENV}".replace("= None", "= target_metadata")
    project = make_project(tmp_path, revisions=(BOOKINGS, STATUS), env=env)
    assert handrail(project, "upgrade", "--yes").code == 0
    words = ("revision", "-m", "rename", "--autogenerate", "--rev-id", "c3")
    said = handrail(project, *words)
    assert said.code == 3
    assert "is it a rename? If so: handrail lint --fix --confirm HR-DL103" in said.out
    script_of(project).unlink()
    said = handrail(project, *words, "--confirm", "HR-DL103")
    assert said.code == 0, said.err
    assert "new_column_name" in script_of(project).read_text()
    assert handrail(project, "upgrade", "--yes").code == 0
    with closing(sqlite3.connect(project / "local.db")) as connection:
        assert list(connection.execute("SELECT state FROM bookings")) == [("SCHEDULED",), ("SCHEDULED",)]
