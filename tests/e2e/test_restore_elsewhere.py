"""Restoring into a database on another server, named by a URL or by a variable that holds one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handrail.migrator.places import url_of_address
from support.calling import ROWS, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story


def test_another_server(tmp_path: Path, postgres_server: PostgresServer, replica_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    there = replica_server.address("brought")
    url = url_of_address(there, "postgresql").render_as_string(hide_password=False)
    try:
        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", "env:ELSEWHERE", ELSEWHERE=url)
        assert said.code == 0, said
        placed, compared = said.out.splitlines()
        assert placed.endswith(f" into {there}")
        assert compared == "its rows were compared with the source's: they are the same"
        with replica_server.connect(there) as connection:
            assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", "env:ELSEWHERE", ELSEWHERE=url)
        assert (said.code, said.error) == (
            5, "HR500 The database brought is already there.\n  next: Choose another name.",
        )  # fmt: skip
    finally:
        replica_server.drop("brought")
        postgres_server.drop(address.database)


COUNTING = (
    "CREATE TABLE users (id int)",
    "INSERT INTO users VALUES (1)",
    "CREATE FUNCTION known() RETURNS bool LANGUAGE sql AS 'SELECT count(*) > 0 FROM public.users'",
    "ALTER TABLE bookings ADD CHECK (known())",
)


def test_a_restore_that_fails_leaves_no_database(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """A CHECK that looks into a table whose rows come later: pg_dump knows nothing of that."""
    address = postgres_at_b2(tmp_path, postgres_server)
    try:
        postgres_server.execute(address, COUNTING)
        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", "half")
        assert said.code == 5
        assert "violates check constraint" in said.error
        with postgres_server.connect(postgres_server.address("postgres")) as connection:
            found = connection.execute("SELECT count(*) FROM pg_database WHERE datname = 'half'").fetchall()
        assert found == [(0,)]
    finally:
        postgres_server.drop(address.database)


def test_a_file_by_its_url(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create").code == 0
    new = tmp_path / "new"
    new.mkdir()
    said = handrail(tmp_path, "backup", "restore", "latest", "--into", f"sqlite:///{new / 'local.db'}")
    assert said.code == 0, said
    assert rows(new) == ROWS
    with closing(sqlite3.connect(tmp_path / "local.db")) as raw:
        assert raw.execute("SELECT count(*) FROM bookings").fetchone() == (2,)


@pytest.mark.parametrize(
    ("into", "error"),
    [
        (
            "postgresql://app:word@db/new",
            "HR200 --into holds a password\n"
            "  why: other users of this machine can read the words of a command (it is not shown)\n"
            "  next: put the URL into a variable and name that one: --into env:NAME",
        ),
        (
            "postgresql://app@db/new",
            "HR200 a backup of sqlite cannot be restored into postgresql\n  next: name a database of the same engine",
        ),
        (
            "env:ELSEWHERE",
            "HR210 the environment variable ELSEWHERE is not set\n  why: --into takes the new database's URL from it\n"
            "  next: export ELSEWHERE=sqlite:////path/of/file.db",
        ),
        (
            "env:TWICE",
            "HR210 the environment variable TWICE has more than one @ before the host\n"
            "  why: what follows the first one would be read, and shown, as the host\n"
            "  next: write an @ of the password as %40",
        ),
        (
            "postgresql://",
            "HR200 --into is no URL of a database\n"
            "  why: it cannot be read, or names none (it is not shown, since it may hold a password)\n"
            "  next: write it like postgresql://user@host:5432/name, or sqlite:////path/of/file.db",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, into: str, error: str) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    twice = "postgresql://app:word@more@db/new"
    said = handrail(tmp_path, "backup", "restore", "latest", "--into", into, TWICE=twice)
    assert (said.code, said.error) == (2, error)
