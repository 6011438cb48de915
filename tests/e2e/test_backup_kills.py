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
    STORING,
    Ground,
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
