"""On a real terminal: steps over a second show a live line, fast ones none; nothing of it stays, not even after Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project
from support.terminal import CTRL_C, CTRL_D, Terminal, once

HANDRAIL = [sys.executable, "-m", "handrail.cli.main"]
SLOW = '[environments.slow]\nhealth = {command = "sleep 1.7", timeout = "20s"}\n'
COLOURS = re.compile(r"\x1b\[[0-9;]*(3[0-9]|4[0-9]|38|48)[0-9;]*m")

NEXT = Script(
    "c3",
    "b2",
    'op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))',
    'op.drop_table("extra")',
    doc="make extra",
)
#: What stays on the screen of the whole run: progress, then the result.
SEEN = [
    "✓ backup       backup ID: N bytes in N s, 1 table, 2 rows",
    "✓ restore copy restored into a scratch database in N s",
    "✓ verify       restored in N s and equal to the source: 1 table, 2 rows",
    "✓ rehearse     1 revision in N s; 1 table unchanged (exact), 1 table changed as declared; downgrade proven",
    "✓ apply        1 revision applied in N s",
    "✓ prove        1 table unchanged (exact), 1 table changed as declared",
    "✓ health       `sleep 1.7` exited 0",
    "done: upgraded to c3 in N s",
    "backup ID, proven to restore",
    "bookings: unchanged (exact, 2 rows)",
    "extra: created as declared (0 rows)",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """At b2, with one script pending and an environment whose health check takes over a second."""
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT))
    database_at_b2(folder / "local.db")
    (folder / "handrail.toml").write_text(SLOW)
    return folder


def plain(lines: list[str]) -> list[str]:
    """Lines without what differs from run to run."""
    return [
        re.sub(r"\d{8}_\d{6}_[0-9a-f]{6}", "ID", re.sub(r"[\d.]+ (bytes|kB|MB|s)\b", r"N \1", line)) for line in lines
    ]


def live_lines(sent: str) -> list[str]:
    """The live lines that were drawn, without colours and bar."""
    drawn = re.findall(r"…[^\r\n]*", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent))
    return [f"{line[:15]}BAR{line[35:]}".rstrip() for line in drawn]


def test_a_long_step_shows_a_live_line_and_leaves_none(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "upgrade", "--yes", "--env", "slow"], project, columns=140)
    assert terminal.run() == 0
    assert plain(terminal.screen()) == SEEN
    assert "… health       BAR 1 s  asking the application whether it is well" in live_lines(terminal.sent)
    assert COLOURS.search(terminal.sent)
    assert terminal.sent.rfind("\x1b[?25h") > terminal.sent.rfind("\x1b[?25l")


def test_a_fast_step_shows_its_end_only(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "backup", "create", "--no-verify"], project, columns=140)
    assert terminal.run() == 0
    assert plain(terminal.screen()) == [SEEN[0], "ID"]


def test_ctrl_c_leaves_a_clean_terminal_and_a_settled_database(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "upgrade", "--yes", "--env", "slow"], project, columns=100)
    assert terminal.run(answer=once("… health", CTRL_C)) == 7
    seen = plain(terminal.screen())
    assert seen[3:5] == [SEEN[3].removesuffix(" downgrade proven"), f"{'downgrade proven':>31}"]  # wrapped at a word
    assert seen[-6:] == [
        SEEN[5],
        "✗ health       cancelled",
        "✓ undo         downgraded to b2",
        "HR701 the run was cancelled",
        "  why: The database was brought back: the downgrade that the rehearsal had proven was run; no write was lost.",
        "  next: repair the script, then run handrail upgrade again",
    ]
    assert terminal.sent.rfind("\x1b[?25h") > terminal.sent.rfind("\x1b[?25l")


def test_json_on_stdout_is_untouched_and_no_color_respected(project: Path) -> None:
    command = [*HANDRAIL, "upgrade", "--yes", "--env", "slow", "--json"]
    terminal = Terminal(command, project, columns=140, piped_stdout=True)
    assert terminal.run({"NO_COLOR": "1"}) == 0
    assert json.loads(terminal.stdout)["result"]["target"] == ["c3"]
    assert "… health       BAR 1 s  asking the application whether it is well" in live_lines(terminal.sent)
    assert not COLOURS.search(terminal.sent)


def test_waiting_for_another_run_is_shown(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "backup", "create", "--no-verify"], project, columns=140)
    with (project / "local.db.handrail-lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def release(sent: str) -> bytes:
            if "… lock" in sent:
                fcntl.flock(held, fcntl.LOCK_UN)
            return b""

        assert terminal.run(answer=release) == 0
    assert "… lock         BAR 1 s  waiting for another run on this database" in live_lines(terminal.sent)
    assert plain(terminal.screen()) == [SEEN[0], "ID"]


def test_a_question_is_asked_below_no_live_line(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "stamp", "c3"], project, columns=140)
    assert terminal.run(answer=once("[y/N]: ", b"y\n")) == 0
    asked = f"stamp sqlite:///{project}/local.db with c3 (it is at b2)? [y/N]: y"
    assert terminal.screen() == [asked, "stamped: the database is at c3"]


def test_the_end_of_input_at_a_question_is_a_no(project: Path) -> None:
    terminal = Terminal([*HANDRAIL, "stamp", "c3"], project, columns=140)
    assert terminal.run(answer=once("[y/N]: ", CTRL_D)) == 10
    question = f"stamp sqlite:///{project}/local.db with c3 (it is at b2)?"
    assert terminal.screen() == [
        f"{question} [y/N]: ",
        f"HR1000 not done: {question}",
        "  why: the answer was no",
    ]


def test_in_a_pipe_every_line_is_plain(project: Path) -> None:
    done = subprocess.run(
        [*HANDRAIL, "upgrade", "--yes", "--env", "slow"],
        cwd=project,
        env={key: value for key, value in os.environ.items() if key != "ENV"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in done.stderr + done.stdout
    assert "\r" not in done.stderr + done.stdout
    assert [line for line in plain(done.stderr.splitlines()) if line[0] == "✓"] + plain(
        done.stdout.splitlines()
    ) == SEEN
    assert "… health       asking the application whether it is well" in done.stderr.splitlines()
