"""Drills through the command line: passed, failed, killed, listed; on both engines."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import Said, at_b2, handrail, postgres_at_b2
from support.children import Child
from support.postgres import PostgresServer
from support.projects import SYNC_ENV

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
MODELS = """import sqlalchemy as sa
target_metadata = sa.MetaData()
sa.Table(
    "bookings",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("topic", {topic}),
    sa.Column("status", {status}),
)
"""
SQLITE = MODELS.format(
    topic="sa.String(100), nullable=False",
    status='sa.String(50), nullable=False, server_default="SCHEDULED"',
)
#: Reads the copy by the URL that it is given, and says it: no word of that may be kept.
COMMAND = """\
import os, sys
from sqlalchemy import create_engine, text
url = os.environ["HANDRAIL_DRILL_URL"].replace("postgresql://", "postgresql+psycopg://")
with create_engine(url).connect() as connection:
    print(connection.execute(text("SELECT count(*) FROM bookings")).scalar(), "rows at", os.environ["HANDRAIL_DRILL_URL"])
"""


def prepared(folder: Path, models: str, query: str = "SELECT count(*) = 2 FROM bookings") -> None:
    (folder / "migrations" / "env.py").write_text(SYNC_ENV.replace("target_metadata = None", models))
    (folder / "count.py").write_text(COMMAND)
    (folder / "handrail.toml").write_text(
        f'[drill]\nquery = "{query}"\ncommand = "{sys.executable} count.py"\nmax_age = "30d"\n'
    )


def told(said: Said) -> list[str]:
    """What a drill printed, without what is measured."""
    lines = re.sub(r"\d{8}_\d{6}_[0-9a-f]{6}", "<id>", said.out).splitlines()
    return [re.sub(r"[0-9.]+ (s|min)\b( \d+ s)?", "<time>", line) for line in lines]


def test_on_sqlite(tmp_path: Path) -> None:
    prepared(at_b2(tmp_path), SQLITE)
    said = handrail(tmp_path, "drill")
    assert (said.code, said.error) == (
        5,
        "HR501 there is no backup yet\n  next: make one: handrail backup create",
    )
    assert handrail(tmp_path, "backup", "create").code == 0
    said = handrail(tmp_path, "drill")
    assert (said.code, told(said)) == (
        0,
        [
            "drill <id> passed",
            "RTO          <time>, from the start until all below was done",
            "RPO          <time>, the age of backup <id>; there is none before it",
            "passed       restore: equal to the source, 2 rows in 1 table",
            "passed       integrity_check: every page and index entry is sound",
            "passed       foreign_key_check: every foreign key leads to a row",
            "passed       models: they load, and agree with the copy",
            "passed       query: `SELECT count(*) = 2 FROM bookings` gave 1",
            f"passed       command: `{sys.executable} count.py` exited 0 2 rows at sqlite:///{tmp_path}/.handrail/work/"
            + told(said)[-1].rpartition("/")[2],
        ],
    )
    shown = json.loads(handrail(tmp_path, "backup", "show", "--json").out)["result"]
    listed = json.loads(handrail(tmp_path, "drill", "--list", "--json").out)["result"]["drills"]
    assert (len(listed), shown["drills"]) == (1, listed)
    assert f"drill      {listed[0]['at'][:10]}" in handrail(tmp_path, "backup", "show").out
    status = handrail(tmp_path, "status").out
    assert "last drill     2" in status
    assert "warning" not in status
    assert list((tmp_path / ".handrail" / "work").iterdir()) == []


def test_every_check_can_fail(tmp_path: Path) -> None:
    """Models of a column more, a query that finds nothing, a command that exits 3, a key that leads nowhere."""
    prepared(
        at_b2(tmp_path), SQLITE + 'target_metadata.tables["bookings"].append_column(sa.Column("more", sa.Integer))'
    )
    (tmp_path / "count.py").write_text("import sys; print('no'); sys.exit(3)")
    with closing(sqlite3.connect(tmp_path / "local.db")) as raw, raw:
        raw.execute("CREATE TABLE seats (id INTEGER PRIMARY KEY, booking INTEGER REFERENCES bookings (id))")
        raw.execute("INSERT INTO seats VALUES (1, 99)")
        raw.execute("DELETE FROM bookings WHERE id = 2")
    assert handrail(tmp_path, "backup", "create").code == 0
    said = handrail(tmp_path, "drill", "--json")
    document = json.loads(said.out)
    checks = {one["name"]: (one["result"], one["detail"]) for one in document["result"]["drills"][0]["checks"]}
    failures = {
        "foreign_key_check": "seats.booking -> bookings: 1 row",
        "models": "remove table seats; add column bookings.more",
        "query": "`SELECT count(*) = 2 FROM bookings` gave 0",
        "command": f"`{sys.executable} count.py` exited 3 no",
    }
    assert {name: detail for name, (result, detail) in checks.items() if result == "failed"} == failures
    assert (said.code, document["error"]["message"], document["error"]["why"]) == (
        5,
        f"the drill of backup {document['result']['drills'][0]['backup']} failed",
        "; ".join(f"{name}: {detail}" for name, detail in failures.items()),
    )
    assert "warning: the last drill failed, of backup 2" in handrail(tmp_path, "status").out


def test_a_damaged_backup_and_one_of_an_older_revision(tmp_path: Path) -> None:
    prepared(at_b2(tmp_path), SQLITE)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    with closing(sqlite3.connect(tmp_path / "local.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = 'a1'")
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    checks = [line for line in told(handrail(tmp_path, "drill")) if "models" in line]
    assert checks == ["not checked  models: the backup is at a1, the scripts are at b2"]
    oldest = sorted((tmp_path / ".handrail" / "store" / "development").glob("2*"))[0]
    artifact = oldest / "artifact.zst"
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"x")
    said = handrail(tmp_path, "drill", oldest.name)
    assert said.code == 5
    assert told(said)[0] == "drill <id> failed"
    assert told(said)[-1].startswith("failed       restore: ")
    listed = told(handrail(tmp_path, "drill", "--list"))
    assert [line.split()[5:7] for line in listed[1:]] == [["failed", "<time>"], ["passed", "<time>"]]


def test_what_a_killed_drill_leaves_is_in_nobodys_way(tmp_path: Path) -> None:
    prepared(at_b2(tmp_path), SQLITE)
    (tmp_path / "count.py").write_text(
        "import os, time\nopen('pid.new', 'w').write(str(os.getpid()))\nos.rename('pid.new', 'pid')\ntime.sleep(60)"
    )
    assert handrail(tmp_path, "backup", "create").code == 0
    with Child([sys.executable, "-m", "handrail.cli.main", "drill"], cwd=tmp_path) as drill:
        while not (tmp_path / "pid").exists():
            assert drill.poll() is None
            time.sleep(0.05)
        drill.kill()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert len(list((tmp_path / ".handrail" / "work").glob("*.sqlite"))) == 1
    prepared(tmp_path, SQLITE)
    assert handrail(tmp_path, "drill").code == 0
    assert json.loads(handrail(tmp_path, "status", "--json").out)["result"]["interrupted_runs"] == []
    assert list((tmp_path / ".handrail" / "work").iterdir()) == []


def test_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    prepared(tmp_path, MODELS.format(topic="sa.Text", status="sa.Text"))
    assert handrail(tmp_path, "backup", "create").code == 0
    said = handrail(tmp_path, "drill")
    assert (said.code, told(said)[3:]) == (
        0,
        [
            "passed       restore: equal to the source, 2 rows in 1 table",
            "passed       verify_heapam: 2 tables, all sound",
            "passed       bt_index_check: 2 b-trees, all sound",
            "passed       models: they load, and agree with the copy",
            "passed       query: `SELECT count(*) = 2 FROM bookings` gave True",
            f"passed       command: `{sys.executable} count.py` exited 0 2 rows at ***",
        ],
    )
    documents = list((tmp_path / ".handrail" / "store" / "development" / "drills").iterdir())
    assert len(documents) == 1
    assert address.password not in said.out + documents[0].read_text()
    with postgres_server.connect(address) as connection:
        others = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%handrail\\_%'").fetchall()
    assert others == [("handrail_template",)]
    postgres_server.drop(address.database)
