"""`rehearse_server`: scratch databases on another server, of another version where two can be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from handrail.cli.output import Output
from handrail.cli.running import rehearse_elsewhere
from handrail.cli.setup import _probes
from handrail.databases.database import Probe
from handrail.databases.postgres import scratch
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.databases.postgres.connection import maintenance
from handrail.databases.postgres.database import PostgresDatabase
from handrail.errors import ConfigError, DatabaseUnavailable, UsageError
from handrail.facts import DatabaseAddress
from handrail.wiring import open_project
from handrail.workflows.run import Equipment, Progress
from handrail.workflows.upgrade import Outcome, Request, guarded_run
from support.postgres import HOW_TO_GET_ONE, PostgresServer, obtain_server_binaries
from support.projects import BOOKINGS, STATUS, Script, make_project

pytestmark = pytest.mark.postgres

CREATE = [
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1')",
    "CREATE TABLE bookings (id SERIAL PRIMARY KEY, topic VARCHAR(100) NOT NULL CHECK (topic IN ('파이썬', 'API')))",
    "INSERT INTO bookings (topic) VALUES ('파이썬'), ('API')",
    "CREATE VIEW topics AS SELECT bookings.topic FROM bookings WHERE bookings.id > 0",
]
ADD = Script(
    "b2",
    "a1",
    'op.add_column("bookings", sa.Column("status", sa.String(9), nullable=False, server_default="SCHEDULED"))',
    'op.drop_column("bookings", "status")',
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The oldest and the newest server that can be had; two of one version where there is only one."""

    old: PostgresServer
    new: PostgresServer


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    binaries = obtain_server_binaries()
    if not binaries:
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    with ThrowawayCluster(binaries[0]) as old, ThrowawayCluster(binaries[-1]) as new:
        yield Pair(PostgresServer(old), PostgresServer(new))


def url(address: DatabaseAddress) -> str:
    return f"postgresql+psycopg://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"


def scratches(server: PostgresServer) -> int:
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'handrail_scratch%'"
    with server.connect(server.address("postgres")) as connection:
        return len(connection.execute(query).fetchall())


class Bench:
    """A project on `live` whose environment rehearses at `where`."""

    def __init__(self, folder: Path, live: PostgresServer, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = live.clone()
        live.execute(self.address, CREATE)
        self.folder = make_project(folder, url=url(self.address), revisions=(Script("a1", None), ADD))
        text = '[environments.development]\nrehearse_server = "env:SCRATCH_URL"\n'
        (folder / "handrail.toml").write_text(text, "utf-8")
        monkeypatch.setenv("SCRATCH_URL", where)

    def ready(self) -> tuple[Equipment, Request]:
        project = open_project(self.folder, None)
        facts = project.migrator.describe("head")
        assert facts.path is not None
        return project.equipment(facts), Request("upgrade", facts.path, facts)


def release(server: PostgresServer) -> str:
    return PostgresDatabase(server.address("postgres")).facts().version


def remarks(pair: Pair) -> tuple[str, ...]:
    old, new = release(pair.old), release(pair.new)
    if old == new:
        return ()
    return (
        f"the rehearsal server runs PostgreSQL {new}, the database's server {old};"
        " definitions of views and the like are compared by name only",
    )


def test_backup_is_proven_and_upgrade_rehearsed_on_the_other_server(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, pair.old, url(pair.new.address("postgres")), monkeypatch)
    seen: dict[str, tuple[int, int]] = {}

    def watch(event: Progress) -> None:
        if event.state == "started":
            seen[event.step] = scratches(pair.old), scratches(pair.new)

    outcome: Outcome = guarded_run(*bench.ready(), watch)
    assert (seen["verify"], seen["rehearse"], seen["apply"]) == ((0, 1), (0, 1), (0, 0))
    assert outcome.warnings == remarks(pair)
    assert outcome.rehearsal is not None
    assert (outcome.rehearsal.report.reason, outcome.rehearsal.report.downgrade_proven) == ("", True)
    assert outcome.proof is not None
    assert outcome.proof.failures == ()


def test_an_older_server_is_refused(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = release(pair.old), release(pair.new)
    if pair.old.version == pair.new.version:
        pytest.fail("this machine has one version of PostgreSQL only", pytrace=False)
    bench = Bench(tmp_path, pair.new, url(pair.old.address("postgres")), monkeypatch)
    with pytest.raises(UsageError) as caught:
        guarded_run(*bench.ready(), lambda _: None)
    assert caught.value.message == f"The rehearsal server {pair.old.address('postgres')} is too old."
    assert caught.value.why == (
        f"It is PostgreSQL {old}, the database's server {new}: an older server cannot load every dump."
    )
    assert (scratches(pair.old), scratches(pair.new)) == (0, 0)
    failed = [probe for probe in bench.ready()[0].database.probe() if probe.name == "rehearsal server"]
    assert [(probe.ok, probe.detail.startswith(str(pair.old.address("postgres")))) for probe in failed] == [
        (False, True)
    ]


def test_doctor_looks_at_the_other_server(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = pair.new.address("postgres")
    bench = Bench(tmp_path, pair.old, url(where), monkeypatch)
    probes = bench.ready()[0].database.probe()
    assert [probe for probe in probes if probe.name in ("rehearsal server", "scratch databases")] == [
        Probe("rehearsal server", True, f"{where}, PostgreSQL {release(pair.new)}"),
        *(Probe("rehearsal server", None, remark) for remark in remarks(pair)),
        Probe("scratch databases", True, f"{where.user} may make them"),
    ]


def test_a_server_that_cannot_be_used_is_named_and_no_password_shown(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(pair.new.address("postgres"), password="s3cret-word")
    bench = Bench(tmp_path, pair.old, url(wrong), monkeypatch)
    with pytest.raises(DatabaseUnavailable) as caught:
        guarded_run(*bench.ready(), lambda _: None)
    error = caught.value
    assert error.message == (
        f"The rehearsal server cannot be used: {wrong} cannot be opened. The server refused the password."
    )
    assert error.hint == (
        "Check the password in the database URL. It is `rehearse_server` of the environment; `handrail doctor` checks it."
    )
    assert not any("s3cret" in text for text in (error.message, error.why, error.hint))
    kit, _ = bench.ready()
    [probe] = [probe for probe in kit.database.probe() if probe.name == "rehearsal server"]
    assert (probe.ok, "s3cret" in f"{probe.detail}{probe.hint}") == (False, False)
    [left] = kit.database.end_leftovers("some-run")
    assert left.startswith("nothing on the rehearsal server, which cannot be used: ")


def test_a_url_that_is_none_is_refused_and_not_shown(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "`rehearse_server` of the environment development is no URL of a PostgreSQL server"
    said = {
        "sqlite:///x.db": (setting, "it leads to sqlite"),
        "postgresql://app:s3cret@h:port/x": (setting, "it cannot be read (it is not shown,"),
        "s3cret@nowhere": ("the environment variable SCRATCH_URL is no URL of a database", "it is not shown,"),
    }
    for number, (where, (message, reason)) in enumerate(said.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        bench = Bench(folder, pair.old, where, monkeypatch)
        with pytest.raises(ConfigError) as caught:
            bench.ready()
        assert (caught.value.message, caught.value.why.startswith(reason)) == (message, True)
        assert "s3cret" not in f"{caught.value.why}{caught.value.hint}"


def test_a_locale_that_is_not_there_is_said(pair: Pair) -> None:
    with maintenance(pair.new.address("postgres"), "handrail") as query:
        said = scratch._create(query, "elsewhere", " ENCODING 'UTF8' LC_COLLATE 'xx_XX.utf8' LC_CTYPE 'xx_XX.utf8'")
        assert list(said) == [
            "the rehearsal server does not have the locale xx_XX.utf8: text is sorted by its bytes there (C)"
        ]
        rows = query(
            "SELECT pg_encoding_to_char(encoding), datcollate::text FROM pg_database WHERE datname = 'elsewhere'"
        )
        assert [tuple(row) for row in rows] == [("UTF8", "C")]
    pair.new.drop("elsewhere")


def test_a_sqlite_project_runs_its_history_there(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(tmp_path, revisions=(BOOKINGS, STATUS))
    config = tmp_path / "handrail.toml"
    config.write_text('[environments.development]\nrehearse_server = "env:SCRATCH_URL"\n', "utf-8")
    monkeypatch.setenv("SCRATCH_URL", url(replace(pair.new.address("x"), database="")))
    rehearse_elsewhere(Output("rehearse", as_json=False), open_project(tmp_path, None), "head", "postgresql")
    assert capsys.readouterr().out.splitlines()[0] == "the whole history runs on an empty PostgreSQL: 2 revisions"
    assert scratches(pair.new) == 0
    [probe] = [probe for probe in _probes(open_project(tmp_path, None)) if probe.name == "rehearsal server"]
    assert (probe.ok, scratches(pair.new)) == (True, 0)
    monkeypatch.setenv("SCRATCH_URL", "postgresql://me:pw@127.0.0.1:1")
    with pytest.raises(
        DatabaseUnavailable, match=r"The rehearsal server cannot be used: postgresql://me@127\.0\.0\.1:1"
    ):
        rehearse_elsewhere(Output("rehearse", as_json=False), open_project(tmp_path, None), "head", "postgresql")
    [probe] = [probe for probe in _probes(open_project(tmp_path, None)) if probe.name == "rehearsal server"]
    assert (probe.ok, "pw" in f"{probe.detail}{probe.hint}") == (False, False)
