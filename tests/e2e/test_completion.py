"""Shell completion: the scripts for bash, zsh and fish, and what they are answered while somebody types."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HANDRAIL = str(Path(sys.executable).parent / "handrail")
BASH = shutil.which("bash") or ""


def answered(**environment: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("_HANDRAIL", "_TYPER"))}
    done = subprocess.run([HANDRAIL], env=inherited | environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("shell", "sign"),
    [
        ("bash", "complete -o default -F _handrail_completion handrail"),
        ("zsh", "compdef _handrail_completion handrail"),
        ("fish", "complete --command handrail --no-files"),
    ],
)
def test_there_is_a_script_for_each_shell(shell: str, sign: str) -> None:
    assert sign in answered(_HANDRAIL_COMPLETE=f"source_{shell}")


@pytest.mark.parametrize(
    ("words", "found"),
    [("handrail up", ["upgrade"]), ("handrail backup re", ["restore"]), ("handrail upgrade --no-", ["--no-lint", "--no-backup"])],
)  # fmt: skip
def test_bash_is_answered(words: str, found: list[str]) -> None:
    typed = words.count(" ")
    said = answered(_HANDRAIL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(typed))
    assert said.split() == found


def test_zsh_is_answered_with_the_help() -> None:
    said = answered(_HANDRAIL_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="handrail do")
    assert '"doctor":"Check everything that a guarded run needs."' in said


def test_fish_is_answered_with_the_help() -> None:
    said = answered(
        _HANDRAIL_COMPLETE="complete_fish",
        _TYPER_COMPLETE_ARGS="handrail up",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert said == "upgrade\tUpgrade, guarded; brought back when it fails.\n"


def test_bash_installs_it(tmp_path: Path) -> None:
    home = {**os.environ, "HOME": str(tmp_path), "SHELL": BASH}
    script = f'"{HANDRAIL}" --install-completion; exit $?'
    done = subprocess.run([BASH, "-c", script], env=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (installed,) = (path for path in tmp_path.rglob("handrail.sh"))
    assert "_handrail_completion" in installed.read_text()
    assert installed.name in (tmp_path / ".bashrc").read_text()
