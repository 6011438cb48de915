"""Increments through the command line: built on each other, proven, kept while they are needed, restored, copied."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from handrail.databases.postgres.base import INCREMENTS_SINCE
from handrail.facts import DatabaseAddress
from support.calling import ROWS, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer
from support.sheets import bin_dir, run_sheet

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story


@pytest.fixture
def live(tmp_path: Path, replica_server: PostgresServer) -> Iterator[DatabaseAddress]:
    if replica_server.version < INCREMENTS_SINCE:
        pytest.skip(f"PostgreSQL {replica_server.version} has no pg_basebackup --incremental")
    with replica_server.connect(replica_server.cluster.address) as connection:
        connection.execute("ALTER SYSTEM SET summarize_wal = on")
        connection.execute("SELECT pg_reload_conf()")
    address = postgres_at_b2(tmp_path, replica_server)
    yield address
    replica_server.drop(address.database)


def create(folder: Path, method: str) -> str:
    made = handrail(folder, "backup", "create", "--method", method)
    assert made.code == 0, made
    assert made.out.endswith(", proven to restore\n")
    return made.out.split(",")[0]


def book(server: PostgresServer, address: DatabaseAddress, number: int) -> None:
    server.execute(address, [f"INSERT INTO bookings (id, topic) VALUES ({number}, 'more')"])


def test_from_making_to_restoring(tmp_path: Path, live: DatabaseAddress, replica_server: PostgresServer) -> None:
    said = handrail(tmp_path, "backup", "create", "--method", "increment")
    assert (said.code, said.error) == (
        5,
        "HR500 there is no backup by base to build on\n"
        "  why: an increment is what changed since another backup\n"
        "  next: make a whole one: handrail backup create --method base",
    )
    base = create(tmp_path, "base")
    book(replica_server, live, 100)
    first = create(tmp_path, "increment")
    book(replica_server, live, 101)
    second = create(tmp_path, "increment")
    handrail(tmp_path, "backup", "create")  # one of another kind, in between, is nothing to build on
    book(replica_server, live, 102)
    third = create(tmp_path, "increment")
    backups = json.loads(handrail(tmp_path, "backup", "list", "--json").out)["result"]["backups"]
    assert [(one["id"], one["parent"]) for one in backups if one["format"].startswith("pg_base")] == [
        (third, second), (second, first), (first, base), (base, ""),
    ]  # fmt: skip
    shown = handrail(tmp_path, "backup", "show", second).out
    assert f"holds      the whole database, as pg_basebackup-incremental-tar\nbuilds on  {first}\n" in shown
    assert f"by hand; what changed since {base}" in handrail(tmp_path, "backup", "list").out
    assert handrail(tmp_path, "backup", "verify", second).code == 0

    (tmp_path / "handrail.toml").write_text("[retention]\nlast = 1\n")
    judged = json.loads(handrail(tmp_path, "backup", "prune", "--json").out)["result"]["decisions"]
    reasons = {one["id"]: [reason["text"] for reason in one["reasons"]] for one in judged}
    assert reasons[base] == [f"{first} cannot be restored without it"]
    assert reasons[second] == [f"{third} cannot be restored without it"]

    folder = tmp_path / "data"
    said = handrail(tmp_path, "backup", "restore", third, "--into", str(folder))
    assert said.code == 0, said
    assert not list(folder.rglob("INCREMENTAL.*"))
    said = handrail(tmp_path, "backup", "restore", third, "--in-place", "--yes")
    assert said.error.splitlines()[1:] == [
        "  why: it is a whole server's files",
        "  next: restore it into a new folder, and start a server on it: --into FOLDER",
    ]
    said = handrail(tmp_path, "backup", "copy", third, "--to", str(tmp_path / "other"))
    assert said.code == 0, said
    assert {one.name for one in (tmp_path / "other" / "development").iterdir()} == {base, first, second, third}

    store = tmp_path / ".handrail" / "store" / "development"
    work = tmp_path / "by-hand"
    for number, backup in enumerate((base, first, second, third)):
        parent = {"PARENT": str(work / str(number - 1))} if number else {}
        status, said_by_hand = run_sheet(
            store / backup, work / f"w{number}", more=bin_dir(replica_server), TARGET=str(work / str(number)), **parent
        )
        assert status == 0, said_by_hand
    shutil.rmtree(store / first)
    said = handrail(tmp_path, "backup", "restore", third, "--into", str(tmp_path / "again"))
    assert (said.code, said.error) == (
        5,
        f"HR523 backup {third} cannot be restored\n"
        f"  why: {second} holds what changed since {first}, which is in no store\n"
        "  next: choose another backup (handrail backup list), or bring that one's folder back into the store",
    )
    assert not (tmp_path / "again").exists()


def test_on_sqlite(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--method", "increment").error.splitlines() == [
        "HR500 there is no backup by copy to build on",
        "  why: an increment is what changed since another backup",
        "  next: make a whole one: handrail backup create --method copy",
    ]
    ids = [create(tmp_path, "copy")]
    for number in (100, 101):
        with closing(sqlite3.connect(tmp_path / "local.db")) as raw, raw:
            raw.execute("INSERT INTO bookings (id, topic) VALUES (?, 'more')", (number,))
        ids.append(create(tmp_path, "increment"))
    new = tmp_path / "new"
    new.mkdir()
    assert handrail(tmp_path, "backup", "restore", ids[1], "--into", str(new / "local.db")).code == 0
    assert rows(new) == [*ROWS, (100, "more")]
    said = handrail(tmp_path, "backup", "restore", ids[2], "--in-place", "--yes")
    assert said.code == 0, said
    assert rows(tmp_path) == [*ROWS, (100, "more"), (101, "more")]
    store, work = tmp_path / ".handrail" / "store" / "development", tmp_path / "by-hand"
    for number, backup in enumerate(ids):
        parent = {"PARENT": str(work / f"{number - 1}.db")} if number else {}
        status, said_by_hand = run_sheet(
            store / backup, work / f"w{number}", more=None, TARGET=str(work / f"{number}.db"), **parent
        )
        assert status == 0, said_by_hand
    (work / "2.db").rename(new / "local.db")
    assert rows(new) == rows(tmp_path)


def test_encrypted_on_sqlite(tmp_path: Path) -> None:
    """The next increment has to read what was written about the one before: it needs the private key."""
    at_b2(tmp_path)
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "handrail.toml").write_text(f'[environments.development]\nrecipients = ["{key.to_public()}"]\n')
    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "key").chmod(0o600)
    said = handrail(tmp_path, "backup", "create", "--method", "copy", "--no-verify")
    assert said.code == 0, said
    said = handrail(tmp_path, "backup", "create", "--method", "increment", "--no-verify")
    assert (said.code, said.error) == (
        5,
        "HR540 no identity is at hand to open encrypted backups\n"
        "  why: none is given by --identity, HANDRAIL_IDENTITY or `identity` of the environment\n"
        "  next: name the file with the private key: --identity FILE; or make one that is not proven:"
        " handrail backup create --method copy --no-verify",
    )
    said = handrail(tmp_path, "backup", "create", "--method", "increment", "--identity", "key")
    assert (said.code, said.out[-30:]) == (0, ", encrypted, proven to restore\n"[-30:]), said
    assert [one.name for one in (tmp_path / ".handrail" / "store").rglob("inventory*")] == ["inventory.zst.age"] * 2
