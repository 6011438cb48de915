"""Each way of making a backup against each trouble with its store: a good backup or a clear error, and nothing between."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail.cli.app import app_for
from handrail.databases.postgres.base import INCREMENTS_SINCE
from handrail.stores.objects import client, download, upload
from handrail.stores.objects import store as cloud
from handrail.stores.store import Store
from support.calling import small_disk
from support.due import without_ids
from support.faults import Fault, FaultyProxy, faulty_proxy
from support.faulty_backups import (
    IMPATIENT,
    OUTLIVED,
    PART,
    TOLD,
    Ground,
    Trouble,
    fill,
    is_reading,
    postgres_ground,
    sqlite_ground,
)
from support.objects import Server, environment
from support.postgres import PostgresServer

NEWEST_SERVER_ALONE = True
pytestmark = pytest.mark.story
POSTGRES = ("dump", "dump-plain", "dump-directory", "base", "increment")
NEXT = "check the network, and the endpoint in the environment (AWS_ENDPOINT_URL); then run the command again"


@pytest.fixture(scope="module", params=["copy", "dump", "increment"])
def on_sqlite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return sqlite_ground(tmp_path_factory.mktemp("sqlite"), request.param)


@pytest.fixture(scope="module", params=POSTGRES)
def on_postgres(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, replica_server: PostgresServer
) -> Iterator[Ground]:
    if request.param == "increment":
        if replica_server.version < INCREMENTS_SINCE:
            pytest.skip(f"PostgreSQL {replica_server.version} has no pg_basebackup --incremental")
        with replica_server.connect(replica_server.cluster.address) as connection:
            connection.execute("ALTER SYSTEM SET summarize_wal = on")
            connection.execute("SELECT pg_reload_conf()")
    ground = postgres_ground(tmp_path_factory.mktemp("postgres"), replica_server, request.param)
    yield ground
    assert ground.address is not None
    replica_server.drop(ground.address.database)


@pytest.fixture
def proxy(moto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """A bucket behind a proxy, for commands that lose their patience early."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(client, "Patience", lambda: IMPATIENT)
    monkeypatch.setattr(cloud, "_WAITS", (0.05, 0.1))
    monkeypatch.setattr(download, "_ATTEMPTS", 2)
    for module in (cloud, upload):
        monkeypatch.setattr(module, "PART", PART)
    with faulty_proxy(moto.port) as proxy:
        for name, value in environment(proxy.endpoint, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield proxy


class Calls:
    """Commands in this process and in the ground's folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, ground: Ground, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout and the error; ids of runs read as <id>."""
        self._monkeypatch.chdir(ground.folder)
        try:
            code = app_for()(["backup", *words], standalone_mode=False) or 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = self._capsys.readouterr()
        error = said.err[said.err.index("HR") :] if code else ""
        return code, without_ids(said.out), without_ids(error)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(capsys, monkeypatch)


def ids_in(store: Store) -> set[str]:
    """Of the backups of which anything lies there."""
    return {key.split("/")[1] for key in store.keys("development/")}


def a_bucket() -> str:
    return f"s3://shared/faults/{uuid.uuid4().hex}"


def outlive(ground: Ground, proxy: FaultyProxy, call: Calls, trouble: Trouble) -> None:
    ground.use(a_bucket())
    proxy.faults = trouble.faults()
    make(ground, call)
    assert [fault.times for fault in proxy.faults] == [0] * len(proxy.faults)
    assert len(ground.listed()) == (2 if ground.parents else 1)
    assert ground.leftovers() == []


def make(ground: Ground, call: Calls) -> None:
    """A backup that is good: proven to restore, or (a whole server's files, whose proof takes seconds) as it was sent."""
    is_of_a_server = ground.address is not None and ground.method in ("base", "increment")
    how = ("--method", ground.method, *(["--no-verify"] if is_of_a_server else []))
    code, out, error = call(ground, "create", *how)
    assert (code, error) == (0, "")
    assert out.endswith(", proven to restore\n") is not is_of_a_server
    ground.check_newest()


def tell(ground: Ground, proxy: FaultyProxy, call: Calls, moto: Server, trouble: Trouble) -> None:
    place = a_bucket()
    store = ground.use(place)
    before = ground.listed()
    proxy.faults = trouble.faults()
    code, out, error = call(ground, "create", "--method", ground.method)
    assert (code, out) == (5, "")
    message, why, hint = error.splitlines()
    assert re.fullmatch(rf"HR510 cannot write development/<id>/{trouble.at}\S* to the store {place}", message), error
    assert (why, hint) == (f"  why: {trouble.why.format(host=proxy.endpoint[7:])}", f"  next: {trouble.hint}")
    proxy.faults = []
    assert (ground.listed(), ground.leftovers()) == (before, [])
    go_on(ground, call, store)
    # Beside the backups: for a day the claim of a large artifact that failed, where the server was gone at its end.
    prefix = f"{place.removeprefix('s3://shared/')}/.claims/development/"
    claims = moto.client().list_objects_v2(Bucket="shared", Prefix=prefix).get("Contents", [])
    claimed = {one["Key"].removeprefix(prefix).split("/")[0] for one in claims}
    assert len(claimed) <= 1
    assert not claimed & ids_in(store)


def go_on(ground: Ground, call: Calls, store: Store) -> None:
    """The next backup is made; of the one before nothing is left, at the latest after a prune."""
    count = len(ground.listed()) + 1
    make(ground, call)
    if len(ids_in(store)) > count:
        assert call(ground, "prune", "--apply", "--yes")[0] == 0
    listed = ground.listed()
    assert len(listed) == count
    assert ids_in(store) == {id_ for id_, _ in listed}
    assert ground.leftovers() == []


def fill_disk(ground: Ground, call: Calls, folder: Path) -> None:
    with small_disk(folder, 80 << 20) as is_small:
        if not is_small:
            pytest.skip("this user may not mount a disk; test_bad_disks.py has what can be done without one")
        store = ground.use(str(folder))
        before = ground.listed()
        # What is not compressed is not begun where the databases alone have no room.
        ballast = fill(folder, 12 << 10 if ground.compression == "zstd" else max(12 << 20, ground.room))
        code, out, error = call(ground, "create", "--method", ground.method)
        assert (code, out) == (5, "")
        message, *rest = error.splitlines()
        assert re.fullmatch(rf"HR510 cannot write development/<id>/artifact\S* to the store {folder}", message), error
        assert rest == [
            "  why: No space left on device (0 MB are free there)",
            "  next: make room or rights there, or name another folder (`store`, `copies` or --to says which)",
        ]
        assert (ground.listed(), ground.leftovers(), list(folder.rglob(".partial*"))) == (before, [], [])
        ballast.unlink()
        go_on(ground, call, store)


def read(ground: Ground, proxy: FaultyProxy, call: Calls, tmp_path: Path, into: str) -> None:
    """Cut for good: told, and nothing is made of what came. Cut for a moment: proven, and restored."""
    place = a_bucket()
    ground.use(place)
    assert call(ground, "create", "--no-verify", "--method", ground.method)[0] == 0
    for words in (("verify", "latest"), ("restore", "latest", "--into", into)):
        before = ground.listed()
        proxy.faults = [Fault(is_reading, cut_answer=1000)]
        code, out, error = call(ground, *words)
        assert (code, out) == (5, "")
        message, why, hint = error.splitlines()
        assert re.fullmatch(rf"HR510 cannot read development/<id>/artifact\S* from the store {place}", message), error
        assert why.endswith("the connection was cut half-way")
        assert hint == f"  next: {NEXT}"
        assert (ground.listed(), ground.leftovers()) == (before, [])
        proxy.faults = [Fault(is_reading, times=2, cut_answer=1000)]
        code, _, error = call(ground, *words)
        assert (code, error, proxy.faults[0].times) == (0, "", 0)
    assert ground.listed() == [(id_, True) for id_, _ in before]


@pytest.mark.parametrize("trouble", OUTLIVED, ids=lambda one: one.name)
def test_sqlite_outlives(on_sqlite: Ground, proxy: FaultyProxy, call: Calls, trouble: Trouble) -> None:
    outlive(on_sqlite, proxy, call, trouble)


@pytest.mark.parametrize("trouble", TOLD, ids=lambda one: one.name)
def test_sqlite_tells(on_sqlite: Ground, proxy: FaultyProxy, call: Calls, moto: Server, trouble: Trouble) -> None:
    tell(on_sqlite, proxy, call, moto, trouble)


def test_sqlite_on_a_full_disk(on_sqlite: Ground, call: Calls, tmp_path: Path) -> None:
    fill_disk(on_sqlite, call, tmp_path / "small")


def test_sqlite_read_through_cuts(on_sqlite: Ground, proxy: FaultyProxy, call: Calls, tmp_path: Path) -> None:
    read(on_sqlite, proxy, call, tmp_path, str(tmp_path / "new.db"))


@pytest.mark.parametrize("trouble", OUTLIVED, ids=lambda one: one.name)
def test_postgres_outlives(on_postgres: Ground, proxy: FaultyProxy, call: Calls, trouble: Trouble) -> None:
    outlive(on_postgres, proxy, call, trouble)


@pytest.mark.parametrize("trouble", TOLD, ids=lambda one: one.name)
def test_postgres_tells(on_postgres: Ground, proxy: FaultyProxy, call: Calls, moto: Server, trouble: Trouble) -> None:
    tell(on_postgres, proxy, call, moto, trouble)


def test_postgres_on_a_full_disk(on_postgres: Ground, call: Calls, tmp_path: Path) -> None:
    fill_disk(on_postgres, call, tmp_path / "small")


def test_postgres_read_through_cuts(
    on_postgres: Ground, proxy: FaultyProxy, call: Calls, tmp_path: Path, replica_server: PostgresServer
) -> None:
    is_of_a_server = on_postgres.method in ("base", "increment")
    assert on_postgres.address is not None
    name = f"{on_postgres.address.database}_new"
    read(on_postgres, proxy, call, tmp_path, str(tmp_path / "data") if is_of_a_server else name)
    if not is_of_a_server:
        replica_server.drop(name)
