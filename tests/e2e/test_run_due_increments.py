"""`backup run-due` with increments: built on a whole backup while that is young and proven, else a whole one; told why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from handrail.databases.postgres.base import INCREMENTS_SINCE
from handrail.facts import DatabaseAddress
from support.calling import at_b2, handrail, postgres_at_b2
from support.due import NOW, Clock, called, turned
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
SCHEDULE = """
[schedule]
daily = "12:00"
method = "increment"
whole_every = "3d"
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return turned(monkeypatch)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (at_b2(tmp_path) / "handrail.toml").write_text(SCHEDULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(capsys: pytest.CaptureFixture[str], clock: Clock, days: float) -> str:
    """How a call so many days after the first makes its backup, and why."""
    clock.now = NOW + timedelta(days=days)
    code, out, error = called(capsys)
    first, how, following = out.splitlines()
    assert (code, error, first) == (0, "", "<id>, proven to restore: daily")
    assert following.startswith("next: daily at 2026-1")
    return how


def folders(project: Path) -> list[Path]:
    return sorted((project / ".handrail" / "store" / "development").iterdir())


def test_a_chain_begins_anew(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    none = "made by copy: there is no backup by copy to build on"
    assert made(capsys, clock, 0) == none
    assert made(capsys, clock, 1) == "made by increment: the whole one, <id>, is 1 day old"
    assert made(capsys, clock, 2) == "made by increment: the whole one, <id>, is 2 days old"
    anew = "made by copy: the whole one, <id>, would be over 3 days old before the next is due"
    assert made(capsys, clock, 3) == anew
    assert made(capsys, clock, 4) == "made by increment: the whole one, <id>, is 1 day old"
    *_, whole, increment = folders(project)
    manifest = json.loads((increment / "manifest.json").read_text())["backup"]
    assert (manifest["reason"], manifest["parent"]) == ("scheduled: daily", whole.name)


def test_a_damaged_chain_is_left(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The increment on it cannot be proven: that call fails, the next one makes a whole backup."""
    made(capsys, clock, 0)
    artifact = folders(project)[0] / "artifact.zst"
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(data)
    clock.now = NOW + timedelta(days=1)
    code, out, error = called(capsys)
    assert (code, out) == (5, "")
    assert error.startswith("HR520 the backup file development/<id>/artifact.zst is damaged\n")
    assert made(capsys, clock, 1.1) == "made by copy: <id> is the newest, and was not proven to restore"
    assert made(capsys, clock, 2) == "made by increment: the whole one, <id>, is 21 h 36 min old"


def test_where_no_increment_can_be_made(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written about the backup before is damaged: a whole one takes its place, and that is a warning."""
    made(capsys, clock, 0)
    inventory = folders(project)[0] / "inventory.zst"
    inventory.write_bytes(inventory.read_bytes()[:-1])
    why = "no increment could be made: the backup file development/<id>/inventory.zst is damaged"
    told = made(capsys, clock, 1)
    assert told.startswith(f"made by copy: {why} ")
    assert made(capsys, clock, 2) == "made by increment: the whole one, <id>, is 1 day old"


def test_the_document(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    made(capsys, clock, 0)
    clock.now = NOW + timedelta(days=1)
    code, out, _ = called(capsys, "--json")
    result = json.loads(out)["result"]
    assert (code, result["method"], result["why"]) == (0, "increment", "the whole one, <id>, is 1 day old")
    result = json.loads(called(capsys, "--json")[1])["result"]
    assert (result["backup"], result["method"], result["why"]) == (None, None, "")


def test_a_method_of_another_engine(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "handrail.toml").write_text('[schedule]\ndaily = "12:00"\nmethod = "base"\n')
    assert called(capsys) == (
        2,
        "",
        "HR200 sqlite has no backup by base\n"
        "  why: there are: copy, dump, increment\n"
        "  next: handrail backup explain\n",
    )
    (project / "handrail.toml").write_text('[schedule]\ndaily = "12:00"\nmethod = "dump"\n')
    assert called(capsys)[:2] == (0, "<id>, proven to restore: daily\nnext: daily at 2026-11-29 12:00 UTC\n")
    assert json.loads((folders(project)[0] / "manifest.json").read_text())["backup"]["format"] == "sqlite-sql"


def test_a_machine_without_the_key(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The inventory of the backup before is encrypted, too."""
    key = pyrage.x25519.Identity.generate()
    sealed = f'[environments.development]\nrecipients = ["{key.to_public()}"]\n'
    (project / "handrail.toml").write_text(f"{SCHEDULE}verify = false\n{sealed}")
    assert called(capsys)[0] == 0
    clock.now = NOW + timedelta(days=1)
    code, out, error = called(capsys)
    assert (code, out, error.splitlines()[-1]) == (
        5,
        "",
        '  next: name the file with the private key: --identity FILE; or make what is not proven: `method = "copy"` and'
        " `verify = false` in [schedule]",
    )


@pytest.fixture
def live(tmp_path: Path, replica_server: PostgresServer) -> Iterator[DatabaseAddress]:
    if replica_server.version < INCREMENTS_SINCE:
        pytest.skip(f"PostgreSQL {replica_server.version} has no pg_basebackup --incremental")
    with replica_server.connect(replica_server.cluster.address) as connection:
        connection.execute("ALTER SYSTEM SET summarize_wal = on")
        connection.execute("SELECT pg_reload_conf()")
    address = postgres_at_b2(tmp_path, replica_server)
    (tmp_path / "handrail.toml").write_text('[schedule]\nhourly = ":00"\nmethod = "increment"\n')
    yield address
    replica_server.drop(address.database)


def test_on_postgresql(
    tmp_path: Path,
    live: DatabaseAddress,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dump serves as well, but nothing builds on it; and what is due is made once."""
    monkeypatch.chdir(tmp_path)
    following = "next: hourly at 2026-11-28 1{}:00 UTC\n"
    base = "<id>, proven to restore: hourly\nmade by base: there is no backup by base to build on\n"
    assert called(capsys) == (0, base + following.format(3), "")
    assert called(capsys) == (0, "nothing is due\n" + following.format(3), "")
    clock.now += timedelta(hours=1)
    increment = "<id>, proven to restore: hourly\nmade by increment: the whole one, <id>, is 1 h old\n"
    assert called(capsys) == (0, increment + following.format(4), "")
    assert called(capsys) == (0, "nothing is due\n" + following.format(4), "")
    found = [json.loads((path / "manifest.json").read_text())["backup"] for path in folders(tmp_path)]
    assert [one["format"] for one in found] == ["pg_basebackup-tar", "pg_basebackup-incremental-tar"]
    status = json.loads(handrail(tmp_path, "status", "--json").out)["result"]
    assert re.fullmatch(r"20261128_13\d{4}_[0-9a-f]{6}", status["last_backup"]), status
