"""Scratch databases when their server goes: dropped as soon as it is back, or named."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from handrail.databases.postgres import lifecycle, scratch
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.databases.postgres.connection import maintenance
from handrail.databases.postgres.quoting import Query
from handrail.errors import DatabaseUnavailable
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
NAME = "handrail_scratch_run_1"


@pytest.fixture
def own(postgres_server: PostgresServer) -> Iterator[ThrowawayCluster]:
    with ThrowawayCluster(postgres_server.cluster.binaries) as cluster:
        yield cluster


def there(address: DatabaseAddress) -> bool:
    with maintenance(address, "a test") as query:
        return bool(query(f"SELECT 1 FROM pg_database WHERE datname = '{NAME}'"))


def crash(cluster: ThrowawayCluster) -> None:
    """Kill one of the server's processes: it ends all sessions, and recovers."""
    with pytest.raises(DatabaseUnavailable), maintenance(cluster.address, "a victim") as query:
        os.kill(int(query("SELECT pg_backend_pid()")[0][0]), signal.SIGKILL)
        query("SELECT pg_sleep(60)")


def test_a_server_that_restarts_meanwhile(own: ThrowawayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sessions are cut as the drop begins, the first times that it is tried."""
    drop, cuts = lifecycle.drop, [2]

    def cut(query: Query, name: str) -> None:
        if cuts[0]:
            cuts[0] -= 1
            crash(own)
        drop(query, name)

    monkeypatch.setattr(lifecycle, "drop", cut)
    with scratch.beside(own.address, NAME, "a test"):
        assert there(own.address)
    assert (cuts, there(own.address)) == ([0], False)


def test_a_server_that_does_not_come_back(own: ThrowawayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "RESTARTING", 0.5)
    with pytest.raises(DatabaseUnavailable) as raised, scratch.beside(own.address, NAME, "a test"):
        own.stop()
    assert raised.value.message == f"The scratch database {NAME} could not be dropped."
    assert raised.value.why.startswith(f"{own.address} cannot be reached. connection failed: ")
    assert raised.value.hint == f'When the server is back: DROP DATABASE "{NAME}" WITH (FORCE)'


def test_a_server_that_was_never_there(own: ThrowawayCluster) -> None:
    """Nothing was made, nothing is waited for."""
    address = own.address
    own.stop()
    with pytest.raises(DatabaseUnavailable) as raised, scratch.beside(address, NAME, "a test"):
        pytest.fail("it was made")
    assert "scratch database" not in raised.value.message
