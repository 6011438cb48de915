"""Fixtures of all suites: the PostgreSQL servers, started when the first test needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("support.enum_walks")
SERVER = "postgres_server"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVER in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that uses a server runs on each one that can be had; with none it fails and says how to get one. A
    module with ONLY_NEWEST_SERVER runs on the newest, unless HANDRAIL_EVERY_SERVER is set (make test-long)."""
    if SERVER not in metafunc.fixturenames:
        return
    from support.postgres import obtain_server_binaries

    binaries = sorted(obtain_server_binaries(), key=lambda one: one.version)
    if getattr(metafunc.module, "ONLY_NEWEST_SERVER", False) and not os.environ.get("HANDRAIL_EVERY_SERVER"):
        binaries = binaries[-1:]
    servers = [pytest.param(one, id=f"pg{one.version}") for one in binaries]
    metafunc.parametrize(SERVER, servers or [pytest.param(None, id="no-server")], indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[object]:
    """A `support.postgres.PostgresServer`."""
    from handrail.databases.postgres.cluster import ThrowawayCluster
    from support.postgres import HOW_TO_GET_ONE, PostgresServer

    if request.param is None:
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    with ThrowawayCluster(request.param) as cluster:
        yield PostgresServer(cluster)
