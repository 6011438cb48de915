"""SIGKILL while backups are made, copied, pruned and restored: nothing half made counts, and the next call ends it.

HANDRAIL_KILLS says how many kills at random moments, HANDRAIL_SEED where chance begins."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from handrail.stores.objects import store as cloud
from support.backup_kills import (
    ALL,
    COPY,
    CREATE,
    DUE_INCREMENT,
    INCREMENT,
    MOMENT,
    OF_INCREMENTS,
    SETUP,
    STORING,
    Ground,
    Kind,
    assert_all,
    at_every_change,
    at_every_request,
    at_random,
)
from support.objects import Server, environment
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.long
MOMENTS = int(os.environ.get("HANDRAIL_KILLS", "100"))
#: Of the changes that a command makes, each so many-eth is one to be killed at.
STEP = int(os.environ.get("HANDRAIL_STEP", "1"))
SEED = int(os.environ.get("HANDRAIL_SEED", "20261128"))


@pytest.fixture
def s3(seaweed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in environment(seaweed.endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    return seaweed


def test_random_moments_on_sqlite(tmp_path: Path) -> None:
    assert_all(at_random(Ground(tmp_path), ALL, MOMENTS, SEED))


def test_random_moments_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    assert_all(at_random(Ground(tmp_path, postgres_server), ALL, MOMENTS, SEED))


def test_every_change_on_sqlite(tmp_path: Path) -> None:
    assert_all(at_every_change(Ground(tmp_path), ALL, STEP))


def test_every_change_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    assert_all(at_every_change(Ground(tmp_path, postgres_server), ALL, STEP))


def test_every_request_to_a_bucket(tmp_path: Path, s3: Server) -> None:
    assert_all(at_every_request(Ground(tmp_path, bucket=s3), STORING))


def test_every_request_of_a_large_artifact(tmp_path: Path, s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which goes in parts; a dead writer's claim is taken over after a second here."""
    monkeypatch.setattr(cloud, "_DEAD", timedelta(seconds=1))
    assert_all(at_every_request(Ground(tmp_path, bucket=s3, is_large=True), (CREATE, COPY)))


@pytest.mark.parametrize("kind", [Kind.LINEAGE, Kind.SEALED])
def test_increments_on_sqlite(tmp_path: Path, kind: Kind) -> None:
    """In the clear, and encrypted, where what was written about the one before has to be opened, too."""
    ground = Ground(tmp_path, kind=kind)
    assert_all([*at_every_change(ground, OF_INCREMENTS, STEP), *at_random(ground, OF_INCREMENTS, MOMENTS // 4, SEED)])


@pytest.fixture
def summarizing(replica_server: PostgresServer) -> PostgresServer:
    """A server that can tell what changed since a backup."""
    with replica_server.connect(replica_server.cluster.address) as connection:
        connection.execute("ALTER SYSTEM SET summarize_wal = on")
        connection.execute("SELECT pg_reload_conf()")
    return replica_server


def test_increments_on_postgresql(tmp_path: Path, summarizing: PostgresServer) -> None:
    ground = Ground(tmp_path, summarizing, kind=Kind.LINEAGE)
    making = (INCREMENT, DUE_INCREMENT)
    assert_all([*at_every_change(ground, making, STEP), *at_random(ground, making, MOMENTS // 4, SEED)])


def test_scheduled_increments_on_postgresql(tmp_path: Path, summarizing: PostgresServer) -> None:
    assert_all(at_random(Ground(tmp_path, summarizing, kind=Kind.LINEAGE), (DUE_INCREMENT,), MOMENTS, SEED))


def test_an_archive_of_sqlite(tmp_path: Path) -> None:
    ground = Ground(tmp_path, kind=Kind.ARCHIVED)
    assert_all([*at_every_change(ground, (SETUP, MOMENT), STEP), *at_random(ground, (MOMENT,), MOMENTS // 4, SEED)])
