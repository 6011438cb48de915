"""Killed, or cut off, while a new PostgreSQL database is made of a backup: its name stands for a whole one or for none,
and the next call drops what was begun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from handrail.facts import DatabaseAddress
from handrail.migrator.places import url_of_address
from support.calling import ROWS, Said, handrail, postgres_at_b2
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
_DYING = Path(__file__).parents[1] / "support" / "dying_query.py"


@dataclass(frozen=True, slots=True)
class Place:
    """A project with one backup that nobody has proven, and what its new database is to be called."""

    folder: Path
    server: PostgresServer
    address: DatabaseAddress
    backup: str

    @property
    def into(self) -> str:
        return f"{self.address.database}_into"

    def restore(self, into: str = "", **variables: str) -> Said:
        return handrail(
            self.folder, "backup", "restore", "latest", "--into", into or self.into, before=None, **variables
        )

    def killed(self, when: str, statement: str, into: str = "", **variables: str) -> None:
        words = ["backup", "restore", "latest", "--into", into or self.into]
        done = subprocess.run(
            [sys.executable, str(_DYING), when, statement, *words],
            cwd=self.folder,
            env={**{key: value for key, value in os.environ.items() if key != "ENV"}, **variables},
            capture_output=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    def recovered(self, **variables: str) -> list[tuple[str, str]]:
        said = handrail(self.folder, "recover", "--json", before=None, **variables)
        assert said.code == 0, said
        return [(one["result"], one["detail"]) for one in json.loads(said.out)["result"]["settled"]]

    def was_restoring(self, what: str, into: str = "") -> list[tuple[str, str]]:
        return [("cleaned", f"it was restoring backup {self.backup} into {into or self.into}, {what}")]


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    address = postgres_at_b2(tmp_path, postgres_server)
    made = handrail(tmp_path, "backup", "create", "--no-verify", "--json")
    assert made.code == 0, made
    yield Place(tmp_path, postgres_server, address, json.loads(made.out)["result"]["id"])
    postgres_server.drop(address.database)


def databases(server: PostgresServer, begin: str) -> list[str]:
    with server.connect(server.cluster.address) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [begin])
        return [str(name) for (name,) in found.fetchall()]


def scratches(server: PostgresServer) -> list[str]:
    return databases(server, "handrail_scratch_")


def rows(server: PostgresServer, address: DatabaseAddress) -> list[tuple[object, ...]]:
    with server.connect(address) as connection:
        return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()


NOTHING = "which it had not made yet: nothing of it is left"
#: Before and after what is sent to the server, and how many databases are left of it.
MOMENTS = [("before", "CREATE DATABASE", 0), ("after", "CREATE DATABASE", 1), ("before", "ALTER DATABASE", 1)]


@pytest.mark.parametrize(("when", "statement", "left"), MOMENTS)
def test_the_same_call_again(place: Place, when: str, statement: str, left: int) -> None:
    place.killed(when, statement)
    begun = scratches(place.server)
    assert (len(begun), databases(place.server, place.into)) == (left, [])
    said = place.restore()
    assert said.code == 0, said
    assert [line for line in said.err.splitlines() if ": database handrail_scratch_" in line] == [
        f"  restore      left by run {run}: database {name}" for run in runs(place)[:1] for name in begun
    ]
    assert (scratches(place.server), rows(place.server, place.server.address(place.into))) == ([], ROWS)
    assert place.recovered() == []


def runs(place: Place) -> list[str]:
    """The runs that restored, oldest first."""
    journals = sorted((place.folder / ".handrail" / "journal" / "development").glob("*.jsonl"))
    return [path.stem for path in journals if '"backup restore"' in path.read_text()]


def test_recover_first(place: Place) -> None:
    place.killed("before", "ALTER DATABASE")
    assert len(scratches(place.server)) == 1
    assert place.recovered() == place.was_restoring(NOTHING)
    assert (scratches(place.server), databases(place.server, place.into)) == ([], [])
    assert place.recovered() == []
    assert place.restore().code == 0


def test_killed_when_it_had_its_name(place: Place) -> None:
    """It is whole, and nobody's to drop."""
    place.killed("after", "ALTER DATABASE")
    assert rows(place.server, place.server.address(place.into)) == ROWS
    assert place.recovered() == place.was_restoring("and it is there, whole")
    said = place.restore()
    assert (said.code, said.error) == (
        5, f"HR500 The database {place.into} is already there.\n  next: Choose another name.",
    )  # fmt: skip
    assert rows(place.server, place.server.address(place.into)) == ROWS


def test_what_somebody_made_meanwhile_stays(place: Place) -> None:
    """Under the very name, and under one that looks like handrail's."""
    place.killed("after", "CREATE DATABASE")
    (begun,) = scratches(place.server)
    for name in (place.into, f"{begun}_mine"):
        place.server.execute(place.server.clone(name), ["CREATE TABLE mine (id int)"])
    try:
        said = place.restore()
        assert (said.code, said.error) == (
            5, f"HR500 The database {place.into} is already there.\n  next: Choose another name.",
        )  # fmt: skip
        assert place.recovered() == []
        assert (scratches(place.server), databases(place.server, place.into)) == ([f"{begun}_mine"], [place.into])
    finally:
        place.server.drop(f"{begun}_mine")


def test_the_name_taken_while_it_is_loaded(place: Place) -> None:
    """Two restores into one name at the same time: the first one to end has it, and the other leaves nothing."""
    said = place.restore(PYTHONPATH=before_loading(place, f'CREATE DATABASE "{place.into}"'))
    assert (said.code, said.error) == (
        5, f"HR500 The database {place.into} is already there.\n  next: Choose another name.",
    )  # fmt: skip
    assert (scratches(place.server), databases(place.server, place.into)) == ([], [place.into])
    assert place.recovered() == []


def before_loading(place: Place, statement: str) -> str:
    """A folder with which Python sends the server a statement right before it starts pg_restore."""
    (place.folder / "sitecustomize.py").write_text(_BEFORE.format(dsn=dsn(place.address), statement=statement))
    return str(place.folder)


_BEFORE = """
import sys
def hear(event, arguments):
    if event == "subprocess.Popen" and str(arguments[0]).endswith("pg_restore") and "--version" not in arguments[1]:
        import psycopg
        with psycopg.connect({dsn!r}, autocommit=True) as connection:
            connection.execute({statement!r})
sys.addaudithook(hear)
"""


def dsn(address: DatabaseAddress) -> str:
    return url_of_address(address, "postgresql").render_as_string(hide_password=False)


def test_on_another_server(place: Place, replica_server: PostgresServer) -> None:
    there = replica_server.address("brought")
    place.killed("after", "CREATE DATABASE", "env:ELSEWHERE", ELSEWHERE=dsn(there))
    assert len(scratches(replica_server)) == 1
    assert place.recovered(ELSEWHERE=dsn(there)) == place.was_restoring(NOTHING, "env:ELSEWHERE")
    assert (scratches(replica_server), databases(replica_server, "brought")) == ([], [])


def test_another_server_that_is_not_known_any_more(place: Place, replica_server: PostgresServer) -> None:
    there = replica_server.address("brought")
    place.killed("after", "CREATE DATABASE", "env:ELSEWHERE", ELSEWHERE=dsn(there))
    (begun,) = scratches(replica_server)
    left = replica_server.address(begun)
    try:
        assert place.recovered() == place.was_restoring(
            f"which it had not made yet: {left} may be left, which cannot be looked for: the environment variable ELSEWHERE is not set",
            "env:ELSEWHERE",
        )
    finally:
        replica_server.drop("handrail_scratch_")


def test_cut_off(place: Place) -> None:
    """The server lets nobody in any more, also not to drop what was begun: the run stays open, and is settled later."""
    role = f"{place.address.database}_role"
    place.server.execute(place.address, [f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'word'"])
    place.server.execute(
        place.address,
        [f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}", f"GRANT CREATE ON SCHEMA public TO {role}"],
    )
    as_role = replace(place.address, user=role, password="word")
    ini = place.folder / "alembic.ini"
    ini.write_text(ini.read_text().replace(dsn(place.address).partition("://")[2], dsn(as_role).partition("://")[2]))
    try:
        said = place.restore(PYTHONPATH=before_loading(place, f"ALTER ROLE {role} NOLOGIN"))
        (begun,) = scratches(place.server)
        assert said.code == 5, said
        assert said.error.splitlines()[0] == f"HR500 The dump could not be loaded into {begun}."
        assert f"! restore      {begun} could not be dropped: " in said.err
        assert said.err.count(" handrail recover does it later\n") == 1
        place.server.execute(place.address, [f"ALTER ROLE {role} LOGIN"])
        assert place.recovered() == place.was_restoring(NOTHING)
        assert (scratches(place.server), databases(place.server, place.into)) == ([], [])
    finally:
        place.server.drop("handrail_scratch_")
        place.server.drop(place.into)
        with psycopg.connect(dsn(place.address), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")
