"""Kills a guarded run at a chosen moment and checks what must hold after it; counts what came of many kills."""

from __future__ import annotations

import itertools
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from support.children import Child
from support.postgres import PostgresServer
from support.story import FIRST, SECOND, Rows, Story, on_postgres, on_sqlite

WORKERS = 2
ROWS = 200
_MARK = "HANDRAIL_KILL"
_PATIENCE = 10.0
_INSERT = 'INSERT INTO bookings (topic, description, "when") VALUES '


class How(StrEnum):
    """What is killed, and when `recover` is called."""

    TREE = "the whole process tree"
    PARENT = "the parent, recover at once"
    ALONE = "the parent, recover when its children had ended"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: where the run was, where it left the database, how `recover` settled it."""

    how: How
    seconds: float
    after: str
    left: str
    settled: str
    children_lived: float = 0.0


#: Makes a story at the first revision, ready to be upgraded, of its own; gone at exit.
Ground = Callable[[], AbstractContextManager[Story]]
#: Waits for the moment of the kill; False when the run had ended before.
Moment = Callable[[Child[bytes], Story], bool]


def sqlite_ground(folder: Path, prepare: Callable[[Story], None] = Story.repaired) -> Ground:
    """Copies of one folder with its database."""
    base = on_sqlite(folder)
    _fill(base, prepare)
    numbers = itertools.count()

    @contextmanager
    def fresh() -> Iterator[Story]:
        place = folder / f"kill{next(numbers)}"
        shutil.copytree(base.folder, place / "puddingcamp")
        story = on_sqlite(place, copied=place / "puddingcamp")
        yield marked(story, place.name)
        shutil.rmtree(place)

    return fresh


def postgres_ground(folder: Path, server: PostgresServer, prepare: Callable[[Story], None] = Story.repaired) -> Ground:
    """Copies of one folder, each with a copy of one database."""
    template = server.clone()
    base = on_postgres(folder, template)
    _fill(base, prepare)
    numbers = itertools.count()

    @contextmanager
    def fresh() -> Iterator[Story]:
        number = next(numbers)
        place = folder / f"kill{number}"
        shutil.copytree(base.folder, place / "puddingcamp")
        address = server.clone(f"{template.database}_kill_{number}_", template.database)
        yield marked(on_postgres(place, address, copied=place / "puddingcamp"), f"{server.version} {place.name}")
        server.drop(address.database)
        shutil.rmtree(place)

    return fresh


def _fill(base: Story, prepare: Callable[[Story], None]) -> None:
    base.run("upgrade", FIRST, "--yes")
    base.query(_INSERT + ", ".join(f"('topic {n}', '설명 {n}', '2024-01-10')" for n in range(ROWS)))
    prepare(base)
    shutil.rmtree(base.folder / ".handrail")


def marked(story: Story, name: str) -> Story:
    """Every process of this story carries the mark, also when its parent is gone."""
    return replace(story, environment={**story.environment, _MARK: f"{os.getpid()} {name}"})


def processes(story: Story) -> dict[int, str]:
    """The story's processes that live: pid to command line."""
    wanted = f"{_MARK}={story.environment[_MARK]}\0".encode()
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (place / "environ").read_bytes() + b"\0":
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended, or is another user's
    return found


def wait_for_children(story: Story) -> float:
    """Seconds until the last process of the story has ended by itself; fails when it does not."""
    began = time.monotonic()
    while living := processes(story):
        left = _PATIENCE - (time.monotonic() - began)
        assert left > 0, f"still alive {_PATIENCE:g} s after the kill: {living}"
        for pid in living:
            _wait_for(pid, left)
    return time.monotonic() - began


def _wait_for(pid: int, seconds: float) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def after_start(seconds: float) -> Moment:
    """So long after the process was started."""

    def wait(process: Child[bytes], _: Story) -> bool:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    return wait


def at_event(number: int, seconds: float = 0.0) -> Moment:
    """So long after the journal has so many lines. It is a file, there is nothing to wait on, so it is looked at."""

    def wait(process: Child[bytes], story: Story) -> bool:
        while not (journals := story.journals()):
            if process.poll() is not None:
                return False
            time.sleep(0.003)
        journal = journals.pop()
        while journal.read_bytes().count(b"\n") < number:
            if process.poll() is not None:
                return False
            time.sleep(0.0005)
        return after_start(seconds)(process, story)

    return wait


def events(story: Story) -> list[dict[str, Any]]:
    """The whole lines of the story's only journal, oldest first; [] before there is one."""
    text = "".join(path.read_text() for path in story.journals())
    return [json.loads(line) for line in text.split("\n")[:-1]]


def start(story: Story) -> Child[bytes]:
    return Child(
        [sys.executable, "-m", "handrail.cli.main", "upgrade", "--yes"],
        cwd=story.folder,
        env={**os.environ, **story.environment, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(ground: Ground, how: How, moment: Moment, mend: Callable[[Story], None] | None = None) -> Kill | None:
    """Run, kill, check; None when the run ended before its moment. `mend` makes the following upgrade possible."""
    with ground() as story:
        rows = story.topics()
        began = time.monotonic()
        with start(story) as process:
            is_due = moment(process, story)
            seconds = time.monotonic() - began
            process.kill()
            while how is How.TREE and (living := processes(story)):
                for pid in living:
                    _end(pid)
            process.wait()
        if not is_due:
            return None
        lived = wait_for_children(story) if how is How.ALONE else 0.0
        journal = events(story)
        after = f"{journal[-1]['kind']} {journal[-1]['step']}".strip() if journal else "nothing"
        left = story.revision()
        settled = settle(story, rows, is_open=bool(journal) and journal[-1]["kind"] != "run_ended")
        check_settled(story, left, settled, rows, journal[0]["run"] if journal else "")
        if mend is not None:
            mend(story)
        story.run("upgrade", "--yes")
        assert (story.revision(), story.topics()) == (SECOND, rows)
        assert story.query("SELECT DISTINCT attendance_status FROM bookings") == [("SCHEDULED",)]
        return Kill(how, seconds, after, "old" if left == FIRST else "new", settled, lived)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    _wait_for(pid, _PATIENCE)


def settle(story: Story, rows: Rows, *, is_open: bool) -> str:
    """`recover`; in one word how."""
    assert story.topics() == rows
    settled = story.result("recover", "--yes")["result"]["settled"]
    assert len(settled) == is_open, settled
    return settled[0]["result"] if settled else "nothing was open"


def check_settled(story: Story, left: str, settled: str, rows: Rows, run: str) -> None:
    """The database is the old or the new one, as recover says; no process, session or copy of the run is left."""
    now = {"never applied": FIRST, "undone": FIRST, "done": SECOND, "nothing was open": left}[settled]
    assert left in (FIRST, SECOND)
    wait_for_children(story)
    assert (story.revision(), story.topics()) == (now, rows)
    assert leftovers(story, run) == []


def leftovers(story: Story, run: str) -> list[Any]:
    """What a settled run has left: files on SQLite, sessions and databases on PostgreSQL."""
    if story.environment["ENV"] == "development":
        # SQLite's own journal stays behind when nothing of it had reached the file; the next writer takes it.
        known = {"local.db", "local.db-journal", "local.db.handrail-lock", f"local.db.failed_{run}"}
        beside = [path.name for path in story.folder.glob("local.db*") if path.name not in known]
        return [*beside, *(path.name for path in (story.folder / ".handrail" / "work").glob("*"))]
    until = time.monotonic() + _PATIENCE
    while (found := _on_server(story, run)) and time.monotonic() < until:
        time.sleep(0.05)  # a session ends a moment after its client; the server tells nobody
    return found


def _on_server(story: Story, run: str) -> Rows:
    sessions = (
        "SELECT pid::text, application_name, query FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
        f" AND (datname = current_database() OR ('{run}' <> '' AND strpos(application_name, '{run}') > 0))"
    )
    databases = (
        "SELECT datname::text, '', '' FROM pg_database WHERE ('{0}' <> '' AND strpos(datname, '{0}') > 0"
        " AND strpos(datname, '_failed_') = 0) OR starts_with(datname, current_database() || '_handrail_new_')"
    )
    return story.query(f"{sessions} UNION ALL {databases.format(run)}")


@dataclass(frozen=True, slots=True)
class Whole:
    """A run that is not killed: seconds until it is journalled, seconds from then to its end, lines of its journal."""

    starting: float
    running: float
    lines: int


def whole_run(ground: Ground) -> Whole:
    """Measured while WORKERS - 1 others run."""

    def one(_: int) -> Whole:
        with ground() as story:
            began = time.monotonic()
            with start(story) as process:
                assert at_event(1)(process, story)
                journalled = time.monotonic()
                process.wait()
            return Whole(journalled - began, time.monotonic() - journalled, len(events(story)))

    with ThreadPoolExecutor(WORKERS) as pool:
        return max(pool.map(one, range(WORKERS)), key=lambda whole: whole.running)


def at_random_moments(ground: Ground, count: int, seed: int) -> list[Kill]:
    """So many kills at moments spread evenly over the run, the ways of killing in turn, and a tenth as many while it
    starts, before it is journalled. A moment after the run's end is drawn anew."""
    chance, ways = random.Random(seed), itertools.cycle(How)
    whole = whole_run(ground)
    print(
        f"seed {seed}; with {WORKERS} at a time a run is journalled after {whole.starting:.2f} s, lasts {whole.running:.2f} s"
    )

    def draw() -> tuple[How, Moment]:
        place = chance.uniform(-0.1, 1.0)
        moment = at_event(1, place * whole.running) if place >= 0 else after_start(-10 * place * whole.starting)
        return next(ways), moment

    kills: list[Kill] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        while len(running := [one for one in kills if one.after != "nothing"]) < count:
            drawn = [draw() for _ in range(count - len(running))]
            kills += filter(None, pool.map(lambda one: kill(ground, *one), drawn))
    return kills


def at_every_event(ground: Ground, mend: Callable[[Story], None] | None = None) -> list[Kill]:
    """A kill at each journal event, the ways of killing in turn."""
    numbers = range(1, whole_run(ground).lines + 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda case: kill(ground, case[0], at_event(case[1]), mend), zip(itertools.cycle(How), numbers))
        return list(filter(None, done))


def table(kills: Sequence[Kill]) -> str:
    """The counts as Markdown: by the last thing the journal knew, what was left and how it was settled."""
    places: dict[str, list[Kill]] = {}
    for one in kills:
        places.setdefault(one.after, []).append(one)
    rows = ["| killed after | kills | left old / new | recover |", "|---|---|---|---|"]
    for after, found in places.items():
        how = Counter(one.settled for one in found)
        settled = ", ".join(f"{word} {number}" for word, number in how.most_common())
        old = sum(one.left == "old" for one in found)
        rows.append(f"| {after} | {len(found)} | {old} / {len(found) - old} | {settled} |")
    ways = Counter(one.how for one in kills)
    old = sum(one.left == "old" for one in kills)
    lived = max((one.children_lived for one in kills), default=0.0)
    last = f"{len(kills)} kills ({', '.join(f'{way}: {number}' for way, number in ways.items())})"
    return "\n".join(
        [
            *rows,
            "",
            f"{last}: {old} left the old database, {len(kills) - old} the new; orphans lived {lived:.1f} s at most",
        ]
    )
