"""PostgreSQL's archive by Barman, on real servers: rows deleted at a known time are had back as of just before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handrail.archives.archive import Archive
from handrail.backups.moments import ArchiveError, ArchiveState, require_within, written
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress
from support.barman import NAME, Lab, lab
from support.postgres import PostgresServer

ROWS: list[tuple[object, ...]] = [(number, f"word {number}") for number in range(1, 1001)]
LEFT = [*ROWS[:10], (2001, "word 2001"), (2002, "word 2002")]
INSERT = "INSERT INTO customer SELECT n, 'word ' || n FROM generate_series({}, {}) AS n"
NO_BACKUP = f"there is no whole backup yet: barman backup --wait {NAME}"


@dataclass
class Story:
    """An archive in which rows came, were noted at `before`, and were deleted; then the server was killed and started
    again, and two more rows came."""

    lab: Lab
    address: DatabaseAddress
    server: PostgresServer
    unborn: ArchiveState
    before: datetime
    after: datetime

    @property
    def archive(self) -> Archive:
        return self.lab.archive(self.address)


def now(server: PostgresServer) -> datetime:
    with server.connect(server.cluster.address) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None and isinstance(row[0], datetime)
    return row[0].astimezone(UTC)


def rows(server: PostgresServer, address: DatabaseAddress) -> list[tuple[object, ...]]:
    with server.connect(address) as connection:
        return connection.execute("SELECT id, word FROM customer ORDER BY id").fetchall()


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """One that keeps what is committed, through a kill."""
    binaries = postgres_server.cluster.binaries
    settings = ["wal_level=replica", "max_wal_senders=4", "full_page_writes=on", "synchronous_commit=on"]
    settings += ["summarize_wal=on"] if binaries.version > 16 else []
    with ThrowawayCluster(binaries, settings=settings) as cluster:
        yield PostgresServer(cluster)


@pytest.fixture(scope="module")
def story(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with server.connect(server.cluster.address) as connection:
        connection.execute("CREATE DATABASE shop")
    address = server.address("shop")
    with lab(server, tmp_path_factory.mktemp("barman")) as made:
        made.set_up(address)
        unborn = made.archive(address).state()
        server.execute(address, ["CREATE TABLE customer (id int PRIMARY KEY, word text)", INSERT.format(1, 500)])
        made.first_backup(address)
        server.execute(address, [INSERT.format(501, 1000)])
        before = now(server)
        server.execute(address, ["DELETE FROM customer WHERE id > 10"])
        after = now(server)
        made.stop_receiving()
        server.cluster.restart()
        address = server.address("shop")
        made.configure(address)
        made.receive()
        server.execute(address, [INSERT.format(2001, 2002)])
        made.arrived(address)
        yield Story(made, address, server, unborn, before, after)


def test_the_second_before(story: Story) -> None:
    """The rows of that moment and no others, on a server that can be written to; the live one stays as it is."""
    with story.archive.copy(story.before, "r1") as copy:
        assert rows(story.server, copy.address) == ROWS
        assert copy.reached.moment is not None
        assert story.before - timedelta(seconds=5) < copy.reached.moment <= story.before
        assert copy.reached.remarks == ()
        story.server.execute(copy.address, ["DROP TABLE customer"])
        folder = next(Path(story.lab.temporary).glob("hr-pg-r1-*"))
    assert not folder.exists()
    assert rows(story.server, story.address) == LEFT


def test_the_newest_and_a_moment_since_which_nothing_happened(story: Story) -> None:
    with story.archive.copy(None, "r2") as copy:
        assert rows(story.server, copy.address) == LEFT
    story.lab.arrived(story.address)
    state = story.archive.state()
    assert state.window is not None
    with story.archive.copy(state.window.newest, "r3") as copy:
        assert rows(story.server, copy.address) == LEFT


def test_the_state(story: Story) -> None:
    state = story.archive.state()
    assert (state.tool, state.place, state.behind, state.problems) == ("barman", f"Barman's server {NAME}", 0.0, ())
    assert re.fullmatch(r"3\.\d+\.\d+", state.release)
    assert state.window is not None and state.window.oldest < story.before < story.after < state.window.newest
    assert state.size is not None and state.size > 16 << 20
    assert state.remarks == ("1 backup; moments are told apart to the microsecond, by the server's clock",)
    assert story.unborn == ArchiveState("barman", state.release, state.place, problems=(NO_BACKUP,))
    with pytest.raises(ArchiveError) as early:
        require_within(story.before - timedelta(hours=1), state)
    assert early.value.message == f"{written(story.before - timedelta(hours=1))} cannot be restored"
