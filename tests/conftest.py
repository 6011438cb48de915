"""Fixtures of all suites: the PostgreSQL servers, started when the first test needs one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

SERVER = "postgres_server"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVER in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that uses a server runs on each one that can be had; with none it fails and says how to get one."""
    if SERVER not in metafunc.fixturenames:
        return
    from support.postgres import obtain_server_binaries

    servers = [pytest.param(one, id=f"pg{one.version}") for one in obtain_server_binaries()]
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
