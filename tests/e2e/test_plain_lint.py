"""`handrail lint` with names and no option: nothing is imported that it does not need, and it ends as with options."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from handrail.cli.lint import lint
from handrail.cli.reviewing import Asked
from support.calling import handrail
from support.projects import BOOKINGS, STATUS, Script, make_project

#: Packages that take longer to import than a script takes to be judged.
HEAVY = {"alembic", "click", "psycopg", "pydantic", "rich", "sqlalchemy", "sqlglot", "typer"}
SAFE = "op.add_column('bookings', sa.Column('seats', sa.Integer()))"
UNSAFE = "op.add_column('bookings', sa.Column('seats', sa.Integer(), nullable=False))"
SQL = "op.execute('ALTER TABLE bookings ADD COLUMN seats integer')"


def heavy(folder: Path, *words: str) -> set[str]:
    """Which of the heavy packages a call imports."""
    command = [sys.executable, "-X", "importtime", "-m", "handrail.cli.main", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    named = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "handrail.lint.rules" in named, done.stderr
    return {name.partition(".")[0] for name in named} & HEAVY


@pytest.mark.parametrize(
    ("words", "upgrade", "configured", "imported"),
    [
        ("lint migrations/versions", SAFE, "", set()),
        ("lint", SAFE, "", set()),
        ("lint migrations/versions", SQL, "", {"sqlglot"}),
        ("lint migrations/versions", SAFE, "lint = {}", set()),
        ("lint migrations/versions", UNSAFE, "", {"rich"}),
    ],
    ids=["files", "the project", "SQL", "configured", "refused"],
)
def test_what_is_imported(tmp_path: Path, words: str, upgrade: str, configured: str, imported: set[str]) -> None:
    folder = make_project(tmp_path, revisions=(Script("a1", None, upgrade),))
    (folder / "handrail.toml").write_text(configured)
    assert heavy(folder, *words.split()) == imported


@pytest.mark.parametrize(
    ("words", "configured", "code"),
    [
        ("", "", 3),
        ("migrations/versions", "", 3),
        ("b2", "", 0),
        ("b2 c3", "", 3),
        ("nosuch", "", 2),
        ("nosuch/versions", "", 2),
        ("b2", "zzz = 1\n", 2),
        ("", 'lint = {rules = {"HR-DD101" = "off"}}\n', 0),
    ],
)
def test_it_ends_as_with_an_option(tmp_path: Path, words: str, configured: str, code: int) -> None:
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, Script("c3", "b2", UNSAFE)))
    if configured:
        (folder / "handrail.toml").write_text(configured)
    plain = handrail(folder, "lint", *words.split())
    assert (plain.code, plain) == (code, handrail(folder, "lint", *words.split(), "--format", "text"))


def test_an_option_and_its_absence_mean_the_same_with_and_without_a_parser() -> None:
    options = {name: one.default for name, one in inspect.signature(lint).parameters.items()}
    lists = {"what", "confirm"}
    assert list(options.items()) == [
        (one.name, one.default or None if one.name in lists else one.default) for one in fields(Asked)
    ]
