"""Others go on working on PostgreSQL while a guarded upgrade runs: the served application, and sessions of SQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.postgres import PostgresServer
from support.served import Load, served
from support.story import SECOND, THIRD, Story, on_postgres

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story

NULLABLE, WITH_DEFAULT = "sa.Text(), nullable=True", "sa.Text(), nullable=False, server_default='없음'"
BOOKINGS, USERS = 3000, 500
ONLY_LIVE = """
    if 'handrail_scratch' not in op.get_bind().execute(sa.text('SELECT current_database()')).scalar_one():
        raise RuntimeError('this fails on the live database only')
"""
LOCK_TIMEOUT = 1.0


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[str]:
    """A database at the second revision with some thousand rows, to be copied."""
    address = postgres_server.clone()
    story = on_postgres(tmp_path_factory.mktemp("template"), address)
    story.repaired()
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=story.folder,
        env={**os.environ, **story.environment},
        capture_output=True,
        check=True,
    )
    story.query(f"INSERT INTO users (username, email) SELECT n, n || '@example.com' FROM generate_series(1, {USERS}) n")
    story.query(
        'INSERT INTO bookings (topic, description, "when", user_id, attendance_status)'
        f" SELECT 'topic ' || n, repeat('설명 ', 20), '2024-01-10', 1 + n % {USERS},"
        f" CASE WHEN n % 300 = 0 THEN 'LATE' ELSE 'SCHEDULED' END FROM generate_series(1, {BOOKINGS}) n"
    )
    yield address.database
    postgres_server.drop(address.database)


@pytest.fixture
def story(tmp_path: Path, postgres_server: PostgresServer, template: str) -> Iterator[Story]:
    """The application on a copy of that database, a third script pending."""
    address = postgres_server.clone(template=template)
    story = on_postgres(tmp_path, address)
    story.repaired()
    story.put("add_reminder.py")
    edit(story, "alembic/versions/third.py", NULLABLE, WITH_DEFAULT)
    yield story
    postgres_server.drop(address.database)


def edit(story: Story, name: str, old: str, new: str) -> None:
    path = story.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def configure(story: Story, line: str) -> None:
    table = "[tool.handrail.environments.staging]"
    edit(story, "pyproject.toml", table, f"{table}\n{line}")


def steps(story: Story) -> dict[str, tuple[float, float]]:
    """When each step of the only journalled run began and ended, in seconds since the epoch."""
    (journal,) = story.journals()
    found: dict[str, tuple[float, float]] = {}
    for line in journal.read_text().splitlines():
        event = json.loads(line)
        at = datetime.fromisoformat(event["at"]).timestamp()
        if event["kind"] == "step_started":
            found[event["step"]] = (at, at)
        elif event["kind"] in ("step_done", "step_failed"):
            found[event["step"]] = (found[event["step"]][0], at)
    return found


def all_kept(story: Story, load: Load) -> None:
    there = {place: (topic, text) for place, topic, text in story.topics() if place in load.kept}
    assert there == load.kept
    assert len(load.kept) > 6  # more than the first and last round of each client
    ((rows, users),) = story.query("SELECT (SELECT count(*) FROM bookings), (SELECT count(*) FROM users)")
    assert (rows, users) == (BOOKINGS + len(load.kept), USERS)


def told(story: Story, load: Load, busy: dict[str, int]) -> str:
    slow = load.slowest()
    seconds = {step: ended - began for step, (began, ended) in steps(story).items()}
    each = ", ".join(f"{step} {count} in {seconds[step]:.2f} s" for step, count in busy.items())
    return (
        f"{len(load.answers)} requests, {len(load.failures())} failed, {len(load.kept)} bookings acknowledged;"
        f" longest {1000 * (slow.ended - slow.began):.0f} ms ({slow.request}); under way in each step: {each}"
    )


def test_no_request_fails_while_an_upgrade_runs(story: Story) -> None:
    with served(story) as port:
        configure(story, f'health = "http://127.0.0.1:{port}/health"')
        with Load(port) as load:
            done = story.result("upgrade", "--yes")["result"]
    assert (done["target"], story.revision()) == ([THIRD], THIRD)
    assert done["health"]["is_well"] is True
    busy = {step: load.during(*when) for step, when in steps(story).items()}
    print(told(story, load, busy))
    assert load.failures() == []
    assert list(busy) == ["backup", "restore copy", "verify", "rehearse", "apply", "prove", "health"]
    assert all(busy.values()), busy
    all_kept(story, load)
    assert story.query("SELECT count(*) FROM bookings WHERE reminder = '없음'") == [(BOOKINGS + len(load.kept),)]


def fails_inside_its_transaction(story: Story) -> str:
    text = "server_default='없음'))\n"
    edit(story, "alembic/versions/third.py", text, f"{text}{ONLY_LIVE}")
    return "the transaction was rolled back; no row written by others was lost"


def is_not_well_after_it(story: Story) -> str:
    configure(story, 'health = {command = "false", timeout = "0.1s"}')
    return "the downgrade that the rehearsal had proven was run; no write was lost"


@pytest.mark.parametrize("failing", [fails_inside_its_transaction, is_not_well_after_it])
def test_what_was_written_meanwhile_survives_a_failing_upgrade(story: Story, failing: Callable[[Story], str]) -> None:
    how = failing(story)
    with served(story) as port, Load(port) as load:
        error = story.result("upgrade", "--yes", exits=7)["error"]
    busy = {step: load.during(*when) for step, when in steps(story).items()}
    print(told(story, load, busy))
    assert error["why"].endswith(f"The database was brought back: {how}.")
    assert story.revision() == SECOND
    assert load.failures() == []
    assert busy["apply"] > 0
    all_kept(story, load)


def until_queued(watching: psycopg.Connection[Any], table: str) -> None:
    """Return as soon as a session waits for a lock on the table."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    ends = time.monotonic() + 60
    while watching.execute(waiting, [table]).fetchone() == (0,):
        assert time.monotonic() < ends, "the upgrade never waited"


def test_a_reader_that_goes_on_to_write_is_not_ended_by_a_deadlock(story: Story) -> None:
    """It has read the table, so the script's ALTER waits for it; its UPDATE would wait for a lock taken before that."""
    configure(story, 'lock_timeout = "20s"')
    url = story.environment["STAGING_DATABASE_URL"]
    with psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as watching:
        other.execute("SELECT count(*) FROM bookings")
        with story.start("upgrade", "--yes") as process:
            until_queued(watching, "bookings")
            other.execute("UPDATE bookings SET topic = '바뀜' WHERE id = 7")
            other.commit()
            said: tuple[Any, str] = process.communicate()
    assert process.returncode == 0, said[1]
    assert story.revision() == THIRD
    assert story.query("SELECT topic, reminder FROM bookings WHERE id = 7") == [("바뀜", "없음")]


class Worker(threading.Thread):
    """A session that runs statements until it is told to stop. Its own lock_timeout makes the server end a statement
    that waits for a lock longer than `patience` seconds: what is measured is the wait, not how busy the machine is."""

    def __init__(self, story: Story, statements: tuple[str, ...], patience: float) -> None:
        super().__init__()
        self._url = story.environment["STAGING_DATABASE_URL"]
        self._statements = statements
        self._patience = patience
        self._ending = threading.Event()
        self.begun = threading.Event()
        self.times: list[float] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as session:
            session.execute(f"SET lock_timeout = {round(1000 * self._patience)}")
            while not self._ending.is_set() and self.failure is None:
                for statement in self._statements:
                    began = time.monotonic()
                    try:
                        session.execute(statement.encode())
                    except psycopg.Error as error:
                        self.failure = error
                    self.times.append(time.monotonic() - began)
                self.begun.set()
                self._ending.wait(0.005)

    def __enter__(self) -> Worker:
        self.start()
        assert self.begun.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()


def until_waits(process: subprocess.Popen[str], count: int) -> str:
    """Read the upgrade's progress until it has waited for a lock so often; what it said."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if said.count("canceling statement due to lock timeout") == count:
            return said
    raise AssertionError(f"the upgrade ended without {count} lock waits: {said}")


def test_others_do_not_wait_for_an_upgrade_that_waits_for_a_long_reader(story: Story) -> None:
    configure(story, f'lock_timeout = "{LOCK_TIMEOUT}s"')
    untouched = (
        "SELECT count(*) FROM users",
        "UPDATE users SET email = reverse(email) WHERE id = 7",
        "INSERT INTO users (username, email) SELECT max(id) + 1, max(id) + 1 FROM users",
    )  # no DELETE: it would look into bookings, whose foreign key leads here
    touched = "UPDATE bookings SET topic = 'x' || n FROM generate_series(1, 9) n WHERE bookings.id = 7"
    with (
        psycopg.connect(story.environment["STAGING_DATABASE_URL"]) as long,
        Worker(story, untouched, LOCK_TIMEOUT / 2) as elsewhere,
        # A writer waits for the proof before the statement too, hence twice.
        Worker(story, ("SELECT count(*) FROM bookings", touched), 2 * LOCK_TIMEOUT) as beside,
        story.start("upgrade", "--yes") as process,
    ):
        long.execute("SELECT count(*) FROM bookings")
        reader = f"pid {long.info.backend_pid} unnamed (idle in transaction) holds bookings"
        said = until_waits(process, 2)
        waited = len(beside.times)
        long.rollback()
        rest: tuple[Any, str] = process.communicate()
        assert process.returncode == 0, said + rest[1]
    print(
        f"longest statement: {1000 * max(elsewhere.times):.0f} ms of {len(elsewhere.times)} on the untouched table,"
        f" {1000 * max(beside.times):.0f} ms of {len(beside.times)} on the touched one; {waited} of them before the reader ended"
    )
    assert (elsewhere.failure, beside.failure) == (None, None)
    assert reader in said
    assert "1 revision applied in" in rest[1]
    assert "lock waits" in rest[1]
    assert waited > 3
    assert story.revision() == THIRD
