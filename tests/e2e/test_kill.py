"""SIGKILL at every journal event and at random moments: the database is the old or the new one, recover ends it."""

from __future__ import annotations

import math
import os
from collections import Counter
from pathlib import Path

import pytest

from support.killing import Ground, Kill, at_every_event, at_random_moments, postgres_ground, sqlite_ground, table
from support.postgres import PostgresServer, obtain_server_binaries
from support.story import Story

pytestmark = pytest.mark.long
MOMENTS = int(os.environ.get("HANDRAIL_KILLS", "100"))
SEED = int(os.environ.get("HANDRAIL_SEED", "20261124"))
UNWELL = 'restore = "auto"\nhealth = {command = "false", timeout = "0.1s"}'


def unwell_without_downgrade(story: Story) -> None:
    """The application will not be well after the upgrade, and only a restore leads back."""
    story.repaired()
    script = next((story.folder / "alembic" / "versions").glob("8c2d*.py"))
    head, _, _ = script.read_text().partition("def downgrade")
    script.write_text(f"{head}def downgrade() -> None:\n    pass\n")
    config = story.folder / "pyproject.toml"
    config.write_text(config.read_text().replace('restore = "auto"', UNWELL))


def well_again(story: Story) -> None:
    config = story.folder / "pyproject.toml"
    config.write_text(config.read_text().replace(UNWELL, 'restore = "auto"'))


def moments(ground: Ground, count: int, seed: int) -> None:
    kills = at_random_moments(ground, count, seed)
    print(table(kills))
    assert len(kills) >= count


def every_event(ground: Ground) -> None:
    kills = at_every_event(ground)
    print(table(kills))
    assert_both(kills)


def every_event_of_a_restore(ground: Ground) -> None:
    kills = at_every_event(ground, well_again)
    print(table(kills))
    assert_both(kills)
    assert any(one.after.startswith("undo_") for one in kills)


def assert_both(kills: list[Kill]) -> None:
    assert len(kills) >= 10
    assert set(Counter(one.left for one in kills)) == {"old", "new"}


def test_random_moments_on_sqlite(tmp_path: Path) -> None:
    moments(sqlite_ground(tmp_path), MOMENTS, SEED)


def test_random_moments_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """So many in all, shared by the servers."""
    share = math.ceil(MOMENTS / len(obtain_server_binaries(more=True)))
    moments(postgres_ground(tmp_path, postgres_server), share, SEED + postgres_server.version)


def test_every_event_on_sqlite(tmp_path: Path) -> None:
    every_event(sqlite_ground(tmp_path))


def test_every_event_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    every_event(postgres_ground(tmp_path, postgres_server))


def test_every_event_of_a_restore_on_sqlite(tmp_path: Path) -> None:
    every_event_of_a_restore(sqlite_ground(tmp_path, unwell_without_downgrade))


def test_every_event_of_a_restore_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    every_event_of_a_restore(postgres_ground(tmp_path, postgres_server, unwell_without_downgrade))
