"""`backup run-due` through the command line: what is due is made once, whoever calls how often."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from handrail import wiring
from handrail.cli.app import app_for
from support.calling import at_b2, handrail, postgres_at_b2
from support.due import NOW, Clock, called, turned
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
SCHEDULE = """
[schedule]
daily = "03:00"
weekly = "sunday 03:00"
timezone = "Europe/Berlin"
prune = true

[retention]
last = 1
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return turned(monkeypatch)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (at_b2(tmp_path) / "handrail.toml").write_text(SCHEDULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def backups(folder: Path) -> list[str]:
    store = folder / ".handrail" / "store" / "development"
    return sorted(path.name for path in store.iterdir())


def test_what_is_due_is_made_once(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    next_day = "next: weekly at 2026-11-29 03:00 CET\n"  # and daily: of both the slower is said
    assert called(capsys) == (0, f"<id>, proven to restore: daily, weekly\n{next_day}", "")
    assert called(capsys) == (0, f"nothing is due\n{next_day}", "")
    clock.now = NOW + timedelta(days=9)  # eight daily and one weekly time were missed
    out = "<id>, proven to restore: daily, weekly\ndeleted 1 backup that nothing keeps\nnext: daily at 2026-12-08 03:00 CET\n"
    assert called(capsys) == (0, out, "")
    clock.now += timedelta(days=1)
    assert called(capsys)[1].startswith("<id>, proven to restore: daily\n")
    assert len(backups(project)) == 1
    manifest = json.loads((project / ".handrail/store/development" / backups(project)[0] / "manifest.json").read_text())
    assert manifest["backup"]["reason"] == "scheduled: daily"


def test_another_run_holds_the_database(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The next call will do it; but when the last backup has become too old, whoever called must know."""
    opened = wiring.open_project(project, None)
    kit = opened.equipment(opened.migrator.describe())
    with kit.database.lock("upgrading", wait=1):
        code, out, error = called(capsys)
        assert (code, error) == (0, "")
        assert re.sub(r"pid \d+", "pid 1", out) == (
            "not now, the next call tries again: Another handrail run holds"
            f" {project}/local.db: run upgrading, pid 1.\nnext: weekly at 2026-11-29 03:00 CET\n"
        )
        settings = SCHEDULE + '[environments.development]\nbackup_max_age = "2d"\n'
        (project / "handrail.toml").write_text(settings)
        code, out, error = called(capsys)
        assert (code, out) == (9, "")
        assert (
            "Only one run may work on a database at a time; waited 0.1 seconds."
            " there is no backup, and one every 2 days is asked for: handrail backup create\n"
        ) in error
    assert called(capsys)[0] == 0
    assert len(backups(project)) == 1


def test_nothing_is_scheduled(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "handrail.toml").write_text("")
    assert called(capsys) == (
        2,
        "",
        "HR200 no backup of development is scheduled\n"
        "  why: [schedule] names no tier\n"
        '  next: write [schedule] in handrail.toml with daily = "03:00", see https://github.com/puddingcamp/handrail/blob/main/docs/scheduling.md\n',
    )


def test_what_cron_needs(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "--schedule", "cron")
    line = out.splitlines()[-1]
    assert code == 0
    assert line.startswith("0 * * * * out=$(")
    assert line.endswith(f' backup run-due --project {project} --env development 2>&1) || echo "$out"')
    assert not (project / ".handrail").exists()


def test_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    (tmp_path / "handrail.toml").write_text(SCHEDULE)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    said = handrail(tmp_path, "backup", "run-due", "--json")
    result = json.loads(said.out)["result"]
    assert (said.code, result["due"], len(result["deleted"]), result["busy"]) == (0, ["daily", "weekly"], 1, "")
    assert backups(tmp_path) == [result["backup"]]
    assert handrail(tmp_path, "backup", "run-due").out.startswith("nothing is due\n")
    assert json.loads(handrail(tmp_path, "status", "--json").out)["result"]["interrupted_runs"] == []
    postgres_server.drop(address.database)


def test_a_machine_without_the_key(project: Path, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made that cannot be proven, unless that is said; drills run where the key is."""
    key = pyrage.x25519.Identity.generate()
    sealed = f'[environments.development]\nrecipients = ["{key.to_public()}"]\n'
    (project / "handrail.toml").write_text(SCHEDULE + sealed)
    code, out, error = called(capsys)
    assert (code, out, error.splitlines()[-1]) == (
        5,
        "",
        "  next: name the file with the private key: --identity FILE; or make what is not proven: `verify = false` in"
        " [schedule]",
    )
    (project / "handrail.toml").write_text(SCHEDULE.replace("prune = true", "verify = false") + sealed)
    next_day = "next: weekly at 2026-11-29 03:00 CET\n"
    assert called(capsys) == (0, f"<id>, not proven to restore: daily, weekly\n{next_day}", "")
    assert called(capsys) == (0, f"nothing is due\n{next_day}", "")
    (project / "prod.key").write_text(f"{key}\n")
    assert app_for()(["drill", "--identity", str(project / "prod.key")], standalone_mode=False) is None
    assert "restore: equal to the source, 2 rows in 1 table\n" in capsys.readouterr().out
