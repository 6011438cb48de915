"""Fixtures of all suites: the servers of PostgreSQL and of S3, started when the first test needs one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.laboratory import TestLaboratory
    from support.objects import Server
    from support.postgres import PostgresServer

pytest.register_assert_rewrite("support.enum_walks")
SERVER = "postgres_server"
_NEED_SERVERS = (SERVER, "one_laboratory")
#: Where the programs of a server matter; what a server makes of definitions, the oldest and the newest show.
_ON_MORE_SERVERS = ("contract", "workflows", "e2e")


#: "older": what `make test` leaves out, and nothing else; "every": no module is spared. Both take more servers.
#: "ends": no module is spared, on the oldest and the newest server.
SERVERS = os.environ.get("HANDRAIL_SERVERS", "")


def pytest_configure() -> None:
    """What a background shell has its children ignore, the programs under test must hear all the same."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_sessionstart() -> None:
    from support.warm import use_warm_servers

    use_warm_servers()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(0))
        if any(one in getattr(item, "fixturenames", ()) for one in _NEED_SERVERS):
            item.add_marker("postgres")
    if SERVERS == "older":
        left = [one for one in items if not _is_left_out_by_others(one)]
        config.hook.pytest_deselected(items=left)
        items[:] = [one for one in items if one not in set(left)]


def _is_left_out_by_others(item: pytest.Item) -> bool:
    """Whether `make test` does not run it, for its server's sake."""
    from support.postgres import MORE

    server = getattr(getattr(item, "callspec", None), "params", {}).get(SERVER)
    if getattr(server, "version", 0) in MORE:
        return True
    return bool(item.get_closest_marker("postgres")) and _is_spared(item.getparent(pytest.Module))


def _is_spared(module: object) -> bool:
    return bool(getattr(getattr(module, "obj", module), "ONLY_NEWEST_SERVER", False))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that uses a server runs on each one that can be had (on 17 only those of some folders, in `make
    test-servers` and the campaigns); with none it fails and says how to get one. A module with ONLY_NEWEST_SERVER runs on the newest, and
    on the others in `make test-servers`; one with NEWEST_SERVER_ALONE never runs on others."""
    if SERVER not in metafunc.fixturenames:
        return
    from support.postgres import obtain_server_binaries

    is_longer = SERVERS in ("older", "every") or metafunc.definition.get_closest_marker("long") is not None
    more = is_longer and metafunc.definition.path.parent.name in _ON_MORE_SERVERS
    binaries = sorted(obtain_server_binaries(more=more), key=lambda one: one.version)
    if getattr(metafunc.module, "NEWEST_SERVER_ALONE", False):
        binaries = binaries[-1:]
    elif _is_spared(metafunc.module) and SERVERS not in ("every", "ends"):
        binaries = binaries[:-1] if SERVERS == "older" else binaries[-1:]
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


@pytest.fixture(scope="module")
def replica_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """One more server of the same version, of which base backups can be taken."""
    from handrail.databases.postgres.cluster import ThrowawayCluster
    from support.postgres import PostgresServer

    settings = ("wal_level=replica", "max_wal_senders=4", "full_page_writes=on")
    with ThrowawayCluster(postgres_server.cluster.binaries, settings=settings) as cluster:
        yield PostgresServer(cluster)


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    from support.objects import moto_server

    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from support.objects import seaweed_server

    with seaweed_server(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from support.objects import rclone_server

    with rclone_server(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def one_laboratory() -> Iterator[TestLaboratory]:
    from support.laboratory import lab_folder, running_laboratory

    with lab_folder() as folder, running_laboratory(folder) as lab:
        yield lab


@pytest.fixture(scope="module")
def laboratory(one_laboratory: TestLaboratory) -> Iterator[TestLaboratory]:
    """RDS with real servers behind it, shared by the tests of a module: use names of your own, and take back the faults
    that you set. Each module finds it empty: in which order modules come changes nothing, and a server that ran on would
    cost every test that follows."""
    yield one_laboratory
    one_laboratory.faults.reset()
