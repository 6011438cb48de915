"""The commands of a deployment, run for real: what is told, what is kept, what is ended."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from handrail.command import CommandResult
from handrail.commands import LocalCommands
from handrail.facts import DatabaseAddress
from handrail.wiring_deploy import known_secrets

SECRET = "s3cr3t-of-the-database"


def script(folder: Path, text: str) -> str:
    path = folder / "run.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return "./run.sh"


def commands(folder: Path, timeout: float = 20.0) -> LocalCommands:
    return LocalCommands(folder, timeout, folder / "kept", {"STAGE": "staging"}, (SECRET,))


def ran(folder: Path, command: str, timeout: float = 20.0) -> tuple[bool, str, list[str]]:
    lines: list[str] = []
    result = commands(folder, timeout).run(command, "r1", lines.append)
    return result.is_well, result.detail, lines


def test_lines_are_told_and_kept(tmp_path: Path) -> None:
    command = script(tmp_path, 'echo "to $STAGE"; echo "on the side" >&2; printf "no line end"')
    told = ["to staging", "on the side", "no line end"]
    assert ran(tmp_path, f"{command} one 'two three'") == (
        True,
        "`./run.sh one 'two three'` exited 0: no line end",
        told,
    )
    kept = tmp_path / "kept" / "r1.log"
    first, *rest, ended, _, _ = kept.read_text().split("\n")
    assert (first, rest) == ("$ ./run.sh one 'two three'", told)
    assert ended.startswith("# exited 0 after ")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert commands(tmp_path).kept("r1") == str(kept)


def test_no_password_is_told_or_kept(tmp_path: Path) -> None:
    command = script(tmp_path, f'echo "$1"; echo {SECRET}')
    well, detail, lines = ran(tmp_path, f"{command} postgresql://me:hush@db/x")
    assert (well, detail) == (True, "`./run.sh postgresql://me:***@db/x` exited 0: ***")
    assert lines == ["postgresql://me:***@db/x", "***"]
    kept = (tmp_path / "kept" / "r1.log").read_text()
    assert "hush" not in kept
    assert SECRET not in kept


def test_what_a_terminal_would_show_is_told(tmp_path: Path) -> None:
    command = script(tmp_path, r"printf '\033[31mred\033[0m\n 10 %%\r 90 %%\n\n'")
    assert ran(tmp_path, command)[2] == ["red", " 90 %"]


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        ("sh -c 'echo no room; exit 3'", "`sh -c 'echo no room; exit 3'` exited 3: no room"),
        ("./absent.sh", "`./absent.sh` cannot be run: No such file or directory"),
        ("'", "`'` is not a command"),
        ("", "`` is not a command"),
    ],
)
def test_how_a_command_fails(tmp_path: Path, command: str, detail: str) -> None:
    assert ran(tmp_path, command)[:2] == (False, detail)


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    command = script(tmp_path, "sleep 300 & echo $! > child; echo waiting; wait")
    well, detail, lines = ran(tmp_path, command, timeout=0.5)
    ended = "`./run.sh` did not end within 0.5 s and was ended, with all that it had started: waiting"
    assert (well, detail, lines) == (False, ended, ["waiting"])
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    until = time.monotonic() + 5
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.02)
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_a_command_may_end_in_its_own_way(tmp_path: Path) -> None:
    command = script(tmp_path, "trap 'echo put back; exit 1' TERM; sleep 300 & wait")
    assert ran(tmp_path, command, timeout=0.5)[2] == ["put back"]


def test_a_server_that_was_started_lives_on(tmp_path: Path) -> None:
    command = script(tmp_path, "sleep 300 & echo $! > child")
    began = time.monotonic()
    assert ran(tmp_path, command)[0]
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "child").read_text()), 9)  # raises if it is not there


def test_a_full_disk_ends_no_command(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    assert ran(tmp_path, "echo done") == (True, "`echo done` exited 0: done", ["done"])


def test_output_that_is_large_is_told_line_by_line(tmp_path: Path) -> None:
    told: list[str] = []
    result = commands(tmp_path).run("seq 1 200000", "r1", told.append)
    assert isinstance(result, CommandResult)
    assert told == [str(number) for number in range(1, 200001)]


def test_secrets_are_known_by_their_names() -> None:
    environ = {"API_TOKEN": "abcdefgh", "TOKEN_LIMIT": "4096", "PATH": "/usr/bin:/bin", "DB_PASSWORD": "p@ss word"}
    address = DatabaseAddress("postgresql", "x", password="a/b c")
    assert known_secrets(environ, address) == ("a/b c", "a%2Fb%20c", "abcdefgh", "p@ss word")
