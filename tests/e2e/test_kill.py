"""SIGKILL at every journal event of a guarded run: the database is the old or the new one, recover ends it."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from support.postgres import PostgresServer
from support.story import FIRST, ROWS, SECOND, Story, on_postgres, on_sqlite

TOPICS = [(place, topic, description) for place, (topic, description, _) in enumerate(ROWS, 1)]
MOMENTS = 100


def kill_at_event(story: Story, number: int) -> bool:
    """Kill an upgrade as soon as its journal has `number` lines; False when it had ended by itself before."""
    known = story.journals()
    with story.start("upgrade", "--yes") as process:
        while process.poll() is None:
            lines = sum(path.read_text().count("\n") for path in story.journals() - known)
            if lines >= number:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return True
            time.sleep(0.001)  # the journal is a file: there is nothing to wait on
        process.communicate()
    return False


def kill_after(story: Story, seconds: float) -> None:
    with story.start("upgrade", "--yes") as process:
        try:
            process.communicate(timeout=seconds)
        except Exception:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def settle_and_check(story: Story) -> str:
    """What must hold after a kill; returns where it left the database. Leaves it at the first revision again."""
    left = story.revision()
    assert left in (FIRST, SECOND)
    assert story.topics() == TOPICS
    story.run("recover", "--yes")
    assert story.revision() in (FIRST, SECOND)
    story.run("upgrade", "--yes")
    assert (story.revision(), story.topics()) == (SECOND, TOPICS)
    statuses = story.query("SELECT DISTINCT attendance_status FROM bookings")
    assert statuses == [("SCHEDULED",)]
    story.run("downgrade", FIRST, "--yes", "--no-backup") if story.environment["ENV"] == "development" else story.run(
        "downgrade", FIRST, "--yes"
    )
    return left


def at_every_event(story: Story) -> None:
    story.fill()
    story.repaired()
    left = []
    number = 1
    while kill_at_event(story, number):
        left.append(settle_and_check(story))
        number += 1
    print(
        f"killed at {len(left)} journal events: {left.count(FIRST)} left the old database, {left.count(SECOND)} the new"
    )
    assert len(left) >= 10


def at_random_moments(story: Story, seed: int) -> None:
    story.fill()
    story.repaired()
    chance = random.Random(seed)
    began = time.monotonic()
    story.run("upgrade", "--yes")
    whole = time.monotonic() - began
    story.run("downgrade", FIRST, "--yes")
    left = []
    for _ in range(MOMENTS):
        kill_after(story, chance.uniform(0.05, whole))
        left.append(settle_and_check(story))
    print(
        f"killed at {len(left)} random moments: {left.count(FIRST)} left the old database, {left.count(SECOND)} the new"
    )


@pytest.mark.long
def test_random_moments_on_sqlite(tmp_path: Path) -> None:
    at_random_moments(on_sqlite(tmp_path), 1)


@pytest.mark.long
def test_random_moments_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    at_random_moments(on_postgres(tmp_path, postgres_server.clone()), 2)


@pytest.mark.long
def test_every_event_on_sqlite(tmp_path: Path) -> None:
    at_every_event(on_sqlite(tmp_path))


@pytest.mark.long
def test_every_event_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    at_every_event(on_postgres(tmp_path, postgres_server.clone()))
