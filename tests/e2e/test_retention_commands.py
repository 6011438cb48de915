"""prune, calendar, cost, pin, unpin and note through the command line; the page's example is what they print."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from handrail import wiring
from handrail.cli.app import app_for
from handrail.stores.file import FileStore
from support.calling import NEXT, at_b2, handrail, postgres_at_b2
from support.keeping import NOW, backup
from support.postgres import PostgresServer
from support.terminal import Terminal, once

ONLY_NEWEST_SERVER = True
PAGE = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
CONFIGURATION = PAGE.partition("```toml\n")[2].partition("```")[0]
BERLIN = ZoneInfo("Europe/Berlin")
#: When (in Berlin), of which revision, what for, whether proven.
HISTORY = (
    ("2026-11-28 03:00", "b2", "by hand", True),
    ("2026-11-27 03:00", "b2", "by hand", True),
    ("2026-11-26 14:10", "a1", "upgrade to b2", True),
    ("2026-11-26 03:00", "a1", "by hand", True),
    ("2026-11-25 03:00", "a1", "by hand", True),
    ("2026-11-24 03:00", "a1", "by hand", False),
    ("2026-11-15 03:00", "a1", "upgrade to a1", True),
    ("2026-10-31 03:00", "a1", "by hand", False),
    ("2026-10-12 14:00", "a1", "upgrade to a1", False),
    ("2026-09-01 03:00", "a1", "by hand", False),
    ("2026-03-02 03:00", "a1", "by hand", False),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """At b2, with the page's configuration and history, on the page's day."""
    folder = at_b2(tmp_path)
    (folder / "handrail.toml").write_text(CONFIGURATION)
    store, database = FileStore(folder / ".handrail" / "store"), f"sqlite:///{folder}/local.db"
    for place, (made, revision, reason, verified) in enumerate(HISTORY):
        at = datetime.fromisoformat(made).replace(tzinfo=BERLIN).astimezone(NOW.tzinfo)
        size = 50_000_000_000 - 400_000_000 * place
        backup(store, at, database, verified=verified, reason=reason, revision=revision, size=size)
    equipment = wiring.Project.equipment
    monkeypatch.setattr(wiring.Project, "equipment", lambda *given: replace(equipment(*given), clock=lambda: NOW))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ENV", raising=False)
    return folder


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a call in this process, where the clock stands still."""
    try:
        code = app_for(words)(list(words), standalone_mode=False) or 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def pinned_and_released(capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "backup", "pin", "20260302", "audit", "--until", "2027-01-31")[:2] == (
        0,
        "20260302_020000_5eed00 is kept until 2027-01-31; handrail backup unpin takes that back\n",
    )
    assert called(capsys, "backup", "note", "20261031", "1.0", "--milestone", "release")[:2] == (
        0,
        "noted beside 20261031_020000_5eed00\n",
    )


def examples() -> dict[str, str]:
    """What the page shows, by command."""
    blocks = re.findall(r"```console\n\$ (handrail [^\n]*)\n(.*?)```", PAGE, flags=re.DOTALL)
    return dict(blocks)


def test_the_page_shows_what_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinned_and_released(capsys)
    printed = {}
    for command in examples():
        code, out, err = called(capsys, *command.split()[1:])
        assert (code, err) == (0, "")
        printed[command] = out
    assert printed == examples()
    assert len(printed) == 3


LISTED = """\
        id                      made                  size     why
keep    20261128_020000_5eed00  2026-11-28 02:00 UTC  50.0 GB  the newest backup
                                                               the last one that was proven to restore
                                                               among the last 1
delete  20261127_020000_5eed00  2026-11-27 02:00 UTC  49.6 GB  not among the last 1
keep    20261126_131000_5eed00  2026-11-26 13:10 UTC  49.2 GB  the way back from b2
"""
LAST = "[retention]\nlast = 1\n"


@pytest.fixture
def short(project: Path) -> Path:
    """The newest three, with a policy that keeps one."""
    for folder in sorted((project / ".handrail" / "store" / "development").iterdir())[:-3]:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    (project / "handrail.toml").write_text(LAST)
    return project


def ids(folder: Path) -> list[str]:
    return sorted(path.name[:15] for path in (folder / ".handrail" / "store" / "development").iterdir())


def test_nothing_is_deleted_without_apply_without_an_answer_and_without_a_policy(
    short: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ids(short)
    told = "to do: delete 1 backup (49.6 GB); 2 kept; nothing was touched: handrail backup prune --apply\n"
    assert called(capsys, "backup", "prune") == (0, f"{LISTED}{told}", "")
    assert called(capsys, "backup", "prune", "--yes") == (0, f"{LISTED}{told}", "")
    assert called(capsys, "backup", "prune", "--apply") == (
        10,
        LISTED,
        "HR1000 not done: delete 1 backup (49.6 GB)?\n  why: there is no terminal to ask\n  next: add --yes\n",
    )
    (short / "handrail.toml").write_text("")
    code, out, err = called(capsys, "backup", "prune", "--apply", "--yes")
    assert (code, err, out.splitlines()[0], out.splitlines()[-1]) == (
        0,
        "",
        "everything is kept: [retention] says nothing of how much is kept, see https://github.com/puddingcamp/handrail/blob/main/docs/retention.md",
        "nothing to delete: 3 backups kept",
    )
    assert ids(short) == whole


def test_apply_deletes_and_says_so(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(capsys, "backup", "prune", "--apply", "--yes")
    assert (code, re.sub(r"[\d.]+ kB", "N kB", out), re.sub(r"[\d.]+ kB", "N kB", err)) == (
        0,
        f"{LISTED}deleted 1 backup: N kB came free\n",
        "… delete       deleting 20261127_020000_5eed00\n✓ delete       deleted 20261127_020000_5eed00: N kB\n",
    )
    assert ids(short) == ["20261126_131000", "20261128_020000"]
    assert called(capsys, "backup", "prune", "--apply", "--yes")[1].splitlines()[-1] == (
        "nothing to delete: 2 backups kept"
    )


def test_the_document_says_what_was_done(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "backup", "prune", "--apply", "--yes", "--json")
    result = json.loads(out)["result"]
    assert (code, result["deleted"], result["removed"], result["leftovers"], result["unreadable"]) == (
        0,
        ["20261127_020000_5eed00"],
        [],
        [],
        {},
    )
    assert (bool(result["run_id"]), result["freed"] > 1000, result["warnings"]) == (True, True, [])
    assert result["decisions"][1] == {
        "id": "20261127_020000_5eed00",
        "created_at": "2026-11-27T02:00:00+00:00",
        "database": f"sqlite:///{short}/local.db",
        "size": 49_600_000_000,
        "keep": False,
        "tier": None,
        "until": None,
        "reasons": [{"rule": "last", "keeps": False, "until": None, "text": "not among the last 1"}],
    }


def test_what_a_killed_prune_left_is_told_and_finished(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = short / ".handrail" / "store" / "development" / "20261127_020000_5eed00"
    (left / "deleted.json").write_text("{}")
    half = "half deleted: 20261127_020000_5eed00: "
    assert f"{half}handrail backup prune --apply\n" in called(capsys, "backup", "list")[1]
    assert called(capsys, "backup", "show", "20261127")[0] == 5
    assert called(capsys, "backup", "prune")[1].splitlines()[-2:] == [
        f"{half}a prune was interrupted",
        "to do: remove 1 leftover; 2 kept; nothing was touched: handrail backup prune --apply",
    ]
    out = called(capsys, "backup", "prune", "--apply", "--yes")[1]
    assert re.sub(r"[\d.]+ kB", "N kB", out.splitlines()[-1]) == ("deleted 0 backups and 1 leftover: N kB came free")
    assert ids(short) == ["20261126_131000", "20261128_020000"]


def test_warnings_before_anything_is_deleted(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (short / ".handrail" / "store").rglob("verified-*"):
        file.unlink()
    database = f"sqlite:///{short}/local.db"
    backup(FileStore(short / ".handrail" / "store"), NOW.replace(year=2099), database, name="ahead", size=7)
    out = called(capsys, "backup", "prune")[1]
    assert out.splitlines()[-3:-1] == [
        "warning: no backup was proven to restore; prove the newest: handrail backup verify",
        "warning: made in the future, a clock is or was wrong: ahead",
    ]
    assert "made in the future, at 2099-11-28 12:00: a clock is wrong\n" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            "backup calendar --by year",
            2,
            "HR200 --by year is not known\n  next: --by day, --by week or --by month\n",
        ),
        (
            "backup calendar --every often",
            2,
            'HR200 --every often is no time\n  why: it is written like "36h", "30d", "12w" or "2y"\n  next: --every 1d\n',
        ),
        (
            "backup cost --every 0h",
            2,
            "HR200 --every 0h is no time\n  why: it is longer than nothing\n  next: --every 1d\n",
        ),
        ("backup pin latest --until soon", 2, "HR200 --until soon is no day\n  next: --until 2027-01-31\n"),
        (
            "backup pin latest --until 2026-11-28",
            2,
            "HR200 a pin until 2026-11-28 00:00 would have ended already\n  next: choose a later --until\n",
        ),
        ("backup pin 2020", 5, "HR502 no backup has the id '2020'\n  next: handrail backup list shows all ids\n"),
        (
            "backup unpin latest",
            5,
            "HR544 backup 20261128_020000_5eed00 is not pinned\n  next: handrail backup list shows which are\n",
        ),
        (
            "backup note latest",
            2,
            'HR200 there is nothing to note\n  next: handrail backup note latest "before the move"\n',
        ),
        (
            "backup note latest --milestone Major",
            2,
            "HR200 'Major' cannot be a milestone\n  why: it is written in small letters, digits and dashes\n"
            "  next: --milestone release\n",
        ),
    ],
)
def test_refusals(short: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, message: str) -> None:
    before = ids(short)
    assert called(capsys, *words.split()) == (code, "", message)
    assert ids(short) == before


def test_a_milestone_that_the_policy_does_not_know_is_told(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "backup", "note", "20261127", "--milestone", "sold")[:2] == (
        0,
        "noted beside 20261127_020000_5eed00\n"
        "warning: [retention.milestones] names no time for sold: the backup is kept until it does\n",
    )
    row = called(capsys, "backup", "list")[1].splitlines()[2]
    assert row.endswith("by hand; milestone sold")


def test_without_a_history_the_interval_has_to_be_said(tmp_path: Path) -> None:
    at_b2(tmp_path)
    said = handrail(tmp_path, "backup", "cost")
    assert (said.code, said.out, said.error) == (
        2,
        "",
        "HR200 how often backups are made cannot be told\n"
        "  why: there are fewer than two of this database\n"
        '  next: say it: --every 1d, or `every = "1d"` in [retention] in handrail.toml',
    )
    assert handrail(tmp_path, "backup", "prune").out.splitlines()[-1] == "nothing to delete: 0 backups kept"


@pytest.mark.parametrize(("keys", "code", "last"), [(b"y\n", 0, "deleted 1 backup"), (b"n\n", 10, "  why: the answer")])
def test_asked_on_a_terminal(tmp_path: Path, keys: bytes, code: int, last: str) -> None:
    at_b2(tmp_path)
    (tmp_path / "handrail.toml").write_text(LAST)
    for _ in range(2):
        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    command = [sys.executable, "-m", "handrail.cli.main", "backup", "prune", "--apply"]
    terminal = Terminal(command, tmp_path, columns=140)
    assert terminal.run(answer=once("? [y/N]:", keys)) == code
    assert re.search(r"delete 1 backup \(\d+ bytes\)\? \[y/N\]:", terminal.sent)
    assert any(line.startswith(last) for line in terminal.screen())
    assert len(ids(tmp_path)) == 2 - (code == 0)


@pytest.mark.story
def test_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """What an upgrade and what a person made: the way back stays, the rest goes, and nothing is left of the run."""
    address = postgres_at_b2(tmp_path, postgres_server, NEXT)
    (tmp_path / "handrail.toml").write_text(LAST)
    assert handrail(tmp_path, "upgrade", "--yes").code == 0
    for _ in range(2):
        assert handrail(tmp_path, "backup", "create").code == 0
    made = ids(tmp_path)
    said = handrail(tmp_path, "backup", "prune", "--apply", "--yes", "--json")
    decisions = json.loads(said.out)["result"]["decisions"]
    assert (said.code, [[reason["text"] for reason in one["reasons"]] for one in decisions]) == (
        0,
        [
            ["the newest backup", "the last one that was proven to restore", "among the last 1"],
            ["not among the last 1"],
            ["the way back from c3"],
        ],
    )
    assert ids(tmp_path) == [made[0], made[2]]
    assert json.loads(handrail(tmp_path, "status", "--json").out)["result"]["interrupted_runs"] == []
    assert handrail(tmp_path, "backup", "restore", made[0], "--into", f"{address.database}_back").code == 0
    for name in (address.database, f"{address.database}_back"):
        postgres_server.drop(name)
