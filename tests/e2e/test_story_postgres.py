"""The guide's story on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.guided import Guided
from support.postgres import PostgresServer
from support.story import Story, on_postgres

ONLY_NEWEST_SERVER = True


class TestOnPostgreSQL(Guided):
    @pytest.fixture
    def story(self, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Story]:
        address = postgres_server.clone()
        story = on_postgres(tmp_path, address)
        story.fill()
        yield story
        postgres_server.drop(address.database)


def test_no_password_is_written_anywhere(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    story = on_postgres(tmp_path, address)
    story.fill()
    story.repaired()
    said = "".join((*story.run("upgrade", "--yes"), *story.run("status"), *story.run("doctor")))
    wrong = {
        **story.environment,
        "STAGING_DATABASE_URL": story.environment["STAGING_DATABASE_URL"].replace(":", ":x", 2),
    }
    said += json.dumps(Story(story.folder, wrong, story.query).result("status", exits=2))
    written = [path.read_bytes() for path in (story.folder / ".handrail").rglob("*") if path.is_file()]
    postgres_server.drop(address.database)
    assert address.password
    assert address.password not in said
    assert all(address.password.encode() not in data for data in written)
