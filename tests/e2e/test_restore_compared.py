"""A restore compares rows where no proof stands for them: what is not the source's takes nobody's place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from handrail.backups.catalog import manifest_key
from handrail.backups.manifest import manifest_text
from handrail.backups.record import BackupRecord
from handrail.wiring import open_project
from handrail.workflows.catalog import find_whole
from support.calling import ROWS, Said, assert_postgres_at_b2, at_b2, handrail, postgres_at_b2
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
SAME = "its rows were compared with the source's: they are the same"


@dataclass(frozen=True, slots=True)
class Place:
    """A project with one backup. `content` reads the rows of a database by its name, None when there is none."""

    folder: Path
    live: str
    change: Callable[[str], None]
    content: Callable[[str], list[Any] | None]

    def restore(self, *words: str) -> Said:
        return handrail(self.folder, "backup", "restore", "latest", *words)

    def record(self) -> BackupRecord:
        project = open_project(self.folder, None)
        return find_whole(project.equipment(project.migrator.describe()), "latest")

    def forge(self) -> BackupRecord:
        """Have the manifest, sealed as it should be, tell of other rows than the backup holds."""
        fingerprint = self.record().fingerprint
        self.change("UPDATE bookings SET topic = 'never backed up' WHERE id = 2")
        assert handrail(self.folder, "backup", "create", "--no-verify").code == 0
        other = self.record()
        self.change("UPDATE bookings SET topic = 'API 개발' WHERE id = 2")
        record = replace(other, fingerprint=fingerprint)
        path = self.folder / ".handrail" / "store" / manifest_key(record.environment, record.id)
        path.write_bytes(manifest_text(record))
        return record

    def steps(self) -> list[str]:
        """Those that the last run has begun."""
        newest = max((self.folder / ".handrail" / "journal").rglob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        events = [json.loads(line) for line in newest.read_text().splitlines()]
        return [event["step"] for event in events if event["kind"] == "step_started"]


class Compared:
    """What holds on every engine."""

    def test_what_no_proof_stands_for_is_compared_and_proven_by_it(self, place: Place) -> None:
        assert place.record().verified_at is None
        said = place.restore("--into", f"{place.live}_new")
        assert (said.code, said.out.splitlines()[1:]) == (0, [SAME]), said
        assert place.content(f"{place.live}_new") == ROWS
        proven = place.record().verified_at
        assert proven is not None
        assert place.steps() == ["make", "compare", "name"]

        said = place.restore("--into", f"{place.live}_again")
        line = f"its rows were proven on {proven:%Y-%m-%d %H:%M} UTC, and its bytes are the same since"
        assert (said.out.splitlines()[1:], place.steps()) == ([line], ["make", "name"])
        result = json.loads(place.restore("--in-place", "--yes", "--compare", "--json").out)["result"]
        assert (result["compared"], result["proven_at"], place.steps()) == (True, proven.isoformat(), ["compare"])
        assert place.content(place.live) == ROWS

    def test_other_rows_than_the_manifest_tells_of(self, place: Place) -> None:
        forged = place.forge()
        error = (
            f"HR521 what was restored from backup {forged.id} is not what the source was\n"
            "  why: table bookings: rows differ from the source. What was restored was removed again\n"
            f"  next: is it the backup: handrail backup verify {forged.id}; to restore it all the same: --no-compare"
        )
        for words in (("--into", f"{place.live}_new"), ("--in-place", "--yes")):
            said = place.restore(*words)
            assert (said.code, said.error) == (5, error)
            assert (place.content(f"{place.live}_new"), place.content(place.live)) == (None, ROWS)
        assert place.record().verifications == ()
        self.assert_nothing_beside(place)

        said = place.restore("--into", f"{place.live}_new", "--no-compare")
        warned = f"warning: its rows were not compared, and no proof stands for it: handrail backup verify {forged.id}"
        assert (said.code, said.out.splitlines()[1:]) == (0, [warned])
        assert place.content(f"{place.live}_new") == [ROWS[0], (2, "never backed up")]

    def assert_nothing_beside(self, place: Place) -> None:
        raise NotImplementedError


class TestOnSqlite(Compared):
    @pytest.fixture(params=["delete", "wal"])
    def place(self, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
        at_b2(tmp_path)

        def change(sql: str) -> None:
            with closing(sqlite3.connect(tmp_path / "local.db")) as raw, raw:
                raw.execute(sql)

        def content(name: str) -> list[Any] | None:
            if not (tmp_path / name).exists():
                return None
            with closing(sqlite3.connect(tmp_path / name)) as raw:
                return raw.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()

        with closing(sqlite3.connect(tmp_path / "local.db")) as raw:
            raw.execute(f"PRAGMA journal_mode = {request.param}")
        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
        return Place(tmp_path, "local.db", change, content)

    def assert_nothing_beside(self, place: Place) -> None:
        assert sorted(path.name for path in place.folder.glob("local.db*")) == ["local.db", "local.db.handrail-lock"]


@pytest.mark.story
class TestOnPostgresql(Compared):
    server: PostgresServer

    @pytest.fixture
    def place(self, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
        address = postgres_at_b2(tmp_path, postgres_server)

        def content(name: str) -> list[Any] | None:
            at = postgres_server.address(name)
            with postgres_server.connect(postgres_server.address("postgres")) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall():
                    return None
            with postgres_server.connect(at) as connection:
                return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()

        assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
        self.__class__.server = postgres_server
        yield Place(tmp_path, address.database, lambda sql: postgres_server.execute(address, [sql]), content)
        postgres_server.drop(address.database)

    def assert_nothing_beside(self, place: Place) -> None:
        assert_postgres_at_b2(self.server, self.server.address(place.live))


def test_where_nothing_can_be_compared(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    hint = "a moment that becomes a new database is always compared; handrail backup verify proves a backup"
    error = f"HR200 --compare goes with a whole backup\n  next: {hint}"
    for words in (
        ("latest", "--table", "bookings", "--compare"),
        ("--to-time", "newest", "--into", "x", "--no-compare"),
    ):
        said = handrail(tmp_path, "backup", "restore", *words)
        assert (said.code, said.error) == (2, error)


@pytest.mark.story
def test_the_files_of_a_server(tmp_path: Path, replica_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, replica_server)
    try:
        assert handrail(tmp_path, "backup", "create", "--method", "base", "--no-verify").code == 0
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", str(tmp_path / "data"), "--compare")
        backup_id, _, error = said.error.partition("cannot be compared")
        id_ = backup_id.split()[-1]
        assert (said.code, error) == (
            2,
            "\n  why: it becomes files that no server runs on"
            f"\n  next: handrail backup verify {id_} proves it, in a place of its own",
        )
        said = handrail(tmp_path, "backup", "restore", "latest", "--into", str(tmp_path / "data"))
        warned = f"warning: its rows were not compared, and no proof stands for it: handrail backup verify {id_}"
        assert (said.code, said.out.splitlines()[1:]) == (0, [warned])
    finally:
        replica_server.drop(address.database)
