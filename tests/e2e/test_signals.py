"""SIGTERM, SIGHUP and Ctrl-C end a command in order: nothing half made, no process left, and the journal says so."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.children import Child
from support.killing import Ground, events, leftovers, postgres_ground, processes, sqlite_ground
from support.postgres import PostgresServer
from support.story import FIRST, SECOND, Story
from support.terminal import Terminal

ONLY_NEWEST_SERVER = True
HANDRAIL = [sys.executable, "-m", "handrail.cli.main"]
ENDING = "what is under way is brought to its end first; kill -9 ends at once, and needs handrail recover"
DOWNGRADED = "The database was brought back: the downgrade that the rehearsal had proven was run; no write was lost."
ROLLED_BACK = "The database was brought back: the transaction was rolled back; no row written by others was lost."


def configure(story: Story, line: str) -> None:
    path = story.folder / "pyproject.toml"
    path.write_text(path.read_text().replace('restore = "auto"', f'restore = "auto"\n{line}'))


def slowly(story: Story, where: str, seconds: float, *, live_only: bool) -> None:
    """Have the pending script take so long at the beginning of upgrade() or downgrade(), and say so in `slow`."""
    path = next((story.folder / "alembic" / "versions").glob("8c2d*.py"))
    head, at, body = path.read_text().partition(f"def {where}() -> None:\n")
    asks = "SELECT file FROM pragma_database_list" if on_sqlite(story) else "SELECT current_database()"
    asked = f"    place = op.get_bind().execute(sa.text('{asks}')).scalar_one()\n    if 'scratch' not in place:\n    "
    sleeps = f'    import pathlib, time; pathlib.Path("slow").touch(); time.sleep({seconds})\n'
    lines = (asked if live_only else "") + sleeps
    path.write_text(f"{head}{at}{lines}{body}")


def when(story: Story, is_due: Callable[[], bool], process: Child[str]) -> None:
    deadline = time.monotonic() + 60
    while not is_due():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.1)


def on_sqlite(story: Story) -> bool:
    return story.environment["ENV"] == "development"


def begun(story: Story, kind: str, step: str) -> Callable[[], bool]:
    return lambda: any((one["kind"], one["step"]) == (kind, step) for one in events(story))


def sleeping(story: Story) -> Callable[[], bool]:
    """The command `sleep 300` has been started."""
    return lambda: any(line.startswith("sleep 300") for line in processes(story).values())


def writing(story: Story) -> Callable[[], bool]:
    """An artifact is being written."""
    return lambda: any(story.folder.rglob(".partial-*"))


def ended(
    story: Story, words: list[str], is_due: Callable[[], bool], number: signal.Signals, *more: Callable[[], bool]
) -> tuple[int, str, str]:
    """Call, signal when it is due, and SIGINT and SIGTERM each time that one of `more` is; exit code and output."""
    with story.start(*words) as process:
        when(story, is_due, process)
        process.send_signal(number)
        for following in more:
            when(story, following, process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def last(story: Story) -> tuple[str, dict[str, Any]]:
    event = events(story)[-1]
    return event["kind"], event["data"]


def assert_nothing_left(story: Story) -> None:
    """No process, no file, session or copy of the run; and nothing to recover, so that the same command works."""
    assert processes(story) == {}
    assert leftovers(story, events(story)[-1]["run"]) == []
    assert story.run("recover")[0] == "no run is open: nothing to recover\n"


def error_of(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)["error"]
    return found


class Signals:
    """What holds on every engine."""

    def test_an_upgrade_is_brought_back(self, story: Story) -> None:
        configure(story, 'health = {command = "sleep 300", timeout = "300s"}')
        rows = story.topics()
        exits, out, _ = ended(story, ["upgrade", "--yes", "--json"], sleeping(story), signal.SIGTERM)
        assert (exits, error_of(out)) == (
            7,
            {
                "code": "HR701",
                "exit_code": 7,
                "message": "the run was ended by SIGTERM",
                "why": DOWNGRADED,
                "hint": "repair the script, then run handrail upgrade again",
            },
        )
        assert (story.revision(), story.topics()) == (FIRST, rows)
        failed = [one["data"] for one in events(story) if one["kind"] == "step_failed"]
        assert (failed, last(story)) == ([{"error": "ended by SIGTERM"}], ("run_ended", {"result": "BroughtBack"}))
        assert_nothing_left(story)

    def test_a_script_that_runs_is_rolled_back(self, story: Story) -> None:
        slowly(story, "upgrade", 30, live_only=True)
        exits, out, _ = ended(story, ["upgrade", "--yes", "--json"], (story.folder / "slow").exists, signal.SIGTERM)
        error = error_of(out)
        assert (exits, error["message"], error["why"]) == (7, "the run was ended by SIGTERM", ROLLED_BACK)
        assert (story.revision(), last(story)) == (FIRST, ("run_ended", {"result": "BroughtBack"}))
        assert_nothing_left(story)

    def test_before_the_apply_nothing_was_touched(self, story: Story) -> None:
        slowly(story, "upgrade", 30, live_only=False)
        exits, out, _ = ended(story, ["upgrade", "--yes", "--json"], (story.folder / "slow").exists, signal.SIGTERM)
        assert (exits, error_of(out)["message"]) == (143, "ended by SIGTERM")
        assert (story.revision(), last(story)) == (FIRST, ("run_ended", {"result": "Interruption"}))
        assert_nothing_left(story)

    @pytest.mark.parametrize("cause", ["a signal", "the application"])
    def test_what_is_being_brought_back_is_brought_back_whole(self, story: Story, cause: str) -> None:
        """Further signals while the downgrade runs, and first ones when it was not a signal that made it necessary."""
        slowly(story, "downgrade", 1.5, live_only=True)
        downgrading = begun(story, "undo_started", "downgrade")
        words = ["upgrade", "--yes", "--json"]
        if cause == "a signal":
            configure(story, 'health = {command = "sleep 300", timeout = "300s"}')
            exits, out, err = ended(story, words, sleeping(story), signal.SIGTERM, downgrading)
            heard, message = ["SIGINT", "SIGTERM"], "the run was ended by SIGTERM"
        else:
            configure(story, 'health = {command = "false", timeout = "0.1s"}')
            exits, out, err = ended(story, words, downgrading, signal.SIGHUP)
            heard, message = ["SIGHUP"], "the application is not well after the upgrade"
        assert (exits, error_of(out)["message"]) == (7, message)
        assert re.findall(r"^! .*$", err, re.MULTILINE) == [f"! {one} was heard: {ENDING}" for one in heard]
        assert (story.revision(), last(story)) == (FIRST, ("run_ended", {"result": "BroughtBack"}))
        assert_nothing_left(story)

    def test_a_backup_that_is_being_made_is_none(self, story: Story) -> None:
        configure(story, 'bandwidth = "1 kB/s"')
        exits, out, _ = ended(story, ["backup", "create", "--json"], writing(story), signal.SIGTERM)
        assert (exits, error_of(out)["message"]) == (143, "ended by SIGTERM")
        assert [one["data"] for one in events(story) if one["kind"] == "step_failed"] == [{"error": "ended by SIGTERM"}]
        assert last(story) == ("run_ended", {"result": "ended"})
        assert story.result("backup", "list")["result"] == {"backups": [], "unreadable": {}, "half_deleted": []}
        assert not list(story.folder.rglob(".partial-*"))
        assert_nothing_left(story)

    def test_a_restore_in_place_leaves_the_former_database(self, story: Story) -> None:
        if on_sqlite(story):
            story.query("CREATE TABLE slow (data BLOB)")
            rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 96)"
            story.query(f"INSERT INTO slow {rows} SELECT randomblob(1048576) FROM n")
        else:  # each row that is loaded takes a tenth of a second
            story.query("CREATE TABLE slow (n int CHECK (pg_sleep(0.1)::text IS NOT NULL))")
            story.query("INSERT INTO slow SELECT generate_series(1, 20)")
        story.run("backup", "create", "--no-verify")
        shutil.rmtree(story.folder / ".handrail" / "journal")
        story.query("UPDATE bookings SET topic = 'changed since'")
        restoring = begun(story, "undo_started", "restore")
        words = ["backup", "restore", "latest", "--in-place", "--yes", "--json"]
        exits, out, _ = ended(story, words, restoring, signal.SIGTERM)
        assert (exits, error_of(out)["message"]) == (143, "ended by SIGTERM")
        assert story.query("SELECT DISTINCT topic FROM bookings") == [("changed since",)]
        assert last(story) == ("run_ended", {"result": "ended"})
        assert_nothing_left(story)


class TestOnSqlite(Signals):
    @pytest.fixture(scope="class")
    @staticmethod
    def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
        return sqlite_ground(tmp_path_factory.mktemp("sqlite"))

    @pytest.fixture
    def story(self, ground: Ground) -> Iterator[Story]:
        with ground() as story:
            yield story


@pytest.mark.story
class TestOnPostgresql(Signals):
    @pytest.fixture(scope="class")
    @staticmethod
    def ground(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Ground:
        return postgres_ground(tmp_path_factory.mktemp("postgres"), postgres_server)

    @pytest.fixture
    def story(self, ground: Ground) -> Iterator[Story]:
        with ground() as story:
            yield story


@pytest.mark.parametrize(
    ("number", "exits", "became"),
    [
        (signal.SIGINT, 130, "cancelled"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
    ],
)
def test_what_each_signal_is_called(tmp_path: Path, number: signal.Signals, exits: int, became: str) -> None:
    with sqlite_ground(tmp_path)() as story:
        configure(story, 'bandwidth = "1 kB/s"')
        code, out, err = ended(story, ["backup", "create", "--json"], writing(story), number)
    hint = "if a run was under way: handrail status"
    error = {"code": "HR130", "exit_code": exits, "message": became, "why": "", "hint": hint}
    assert (code, error_of(out)) == (exits, error)
    assert err.splitlines() == [
        "… backup       backing up to " + str(story.folder / ".handrail" / "store"),
        f"✗ backup       {became}",
        f"HR130 {became}",
        f"  next: {hint}",
    ]


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """Under nohup SIGHUP ends nothing."""
    with sqlite_ground(tmp_path)() as story:
        slowly(story, "upgrade", 0.5, live_only=False)
        nohup = [sys.executable, "-c", "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
                 " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])", *HANDRAIL[1:], "upgrade", "--yes"]  # fmt: skip
        with Child(
            nohup, cwd=story.folder, env={**os.environ, **story.environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            when(story, (story.folder / "slow").exists, process)
            process.send_signal(signal.SIGHUP)
            said, _ = process.communicate(timeout=60)
        assert (process.returncode, story.revision()) == (0, SECOND), said
        assert "SIGHUP" not in said


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and nothing can be written any more: the run is brought back all the same."""
    with sqlite_ground(tmp_path)() as story:
        configure(story, 'health = {command = "sleep 300", timeout = "300s"}')
        terminal = Terminal([*HANDRAIL, "upgrade", "--yes"], story.folder)
        assert terminal.run(story.environment, closes=sleeping(story)) == 7
        assert (story.revision(), last(story)) == (FIRST, ("run_ended", {"result": "BroughtBack"}))
        assert_nothing_left(story)
