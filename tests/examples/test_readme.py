"""The sample's README: what somebody types from it, and what it shows of the answers."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from support.calling import handrail

SOURCE = Path(__file__).parents[2] / "examples" / "puddingcamp"
NOT_COPIED = ("__pycache__", "local.db*", ".handrail")


def test_what_the_readme_shows_happens(tmp_path: Path) -> None:
    folder = shutil.copytree(SOURCE, tmp_path / "puddingcamp", ignore=shutil.ignore_patterns(*NOT_COPIED))
    (shown,) = re.findall(r"```console\n(.*?)```", (SOURCE / "README.md").read_text(), flags=re.DOTALL)
    calls = re.findall(r"^\$ handrail ([^\n]*)\n((?:(?!\$ ).*\n)*)", shown, flags=re.MULTILINE)
    said = [handrail(folder, *shlex.split(words)) for words, _ in calls]
    codes = {"check": [4, 0], "upgrade": [0, 0], "revision": [0], "backup": [0], "drill": [0]}
    assert [one.code for one in said] == [codes[words.split()[0]].pop(0) for words, _ in calls], said
    for one, (_, answer) in zip(said, calls, strict=True):
        assert answer in ("", f"{one.error}\n", one.out)
    drilled = said[-1].out.splitlines()
    assert [line for line in drilled if line.startswith("failed")] == []
    assert "passed       models: they load, and agree with the copy" in drilled
