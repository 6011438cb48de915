"""SIGKILL at every journal event of a deployment: `recover`, and typing what it says, lead to code and database that
fit each other."""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.test_deploy import NEW, OLD, commands, pending_third, state
from support.story import Story, on_sqlite

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pending_third(on_sqlite(tmp_path_factory.mktemp("template"))).folder


def killed(story: Story, words: list[str], lines: int) -> bool:
    """Deploy, and kill when the run's journal has so many lines; False when it ended before."""
    before = story.journals()
    with story.start(*words) as process:
        while process.poll() is None:
            new = story.journals() - before
            if sum(path.read_bytes().count(b"\n") for path in new) >= lines:
                process.kill()
                process.communicate()
                return True
            time.sleep(0.002)
        process.communicate()
    return False


def settled(story: Story) -> str:
    """Recover, then type what it says; in one line how."""
    time.sleep(1)  # a command that was under way may outlive the kill, as recover says; ours are short
    found = story.result("recover", "--yes")["result"]["settled"]
    for one in found:
        for command in one["to_type"]:
            subprocess.run(command.split(), cwd=story.folder, check=False)
    return "; ".join(f"{one['result']}: {one['detail']}: {one['to_type']}" for one in found)


def every_event(folder: Path, template: Path, *more: str) -> dict[int, tuple[str, tuple[str, str, str]]]:
    def one(lines: int) -> tuple[str, tuple[str, str, str]] | None:
        story = on_sqlite(folder, Path(shutil.copytree(template, folder / f"at{lines}" / "puddingcamp")))
        words = [*commands(story), *more]
        return (settled(story), state(story)) if killed(story, words, lines) else None

    with ThreadPoolExecutor(2) as pool:
        found = dict(enumerate(pool.map(one, range(1, 40)), start=1))
    return {lines: how for lines, how in found.items() if how is not None}


@pytest.mark.parametrize("smoke", ["true", "false"])
def test_code_and_database_fit_after_every_kill(tmp_path: Path, template: Path, smoke: str) -> None:
    ends = every_event(tmp_path, template, "--smoke", smoke)
    for lines, (how, left) in ends.items():
        print(f"killed at event {lines}: {left} by {how or 'nothing to settle'}")
    assert len(ends) > 15
    assert {left for _, left in ends.values()} == {OLD, NEW}
