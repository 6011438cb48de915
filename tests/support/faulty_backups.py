"""A project for each way of making a backup, and what can go wrong between it and its store."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.facts import DatabaseAddress
from handrail.stores.encoding import check
from handrail.stores.objects.client import Patience
from handrail.stores.store import Store
from handrail.wiring import open_project
from handrail.wiring_stores import open_store
from handrail.workflows.backup import DUMP_ROOM
from handrail.workflows.catalog import read_catalog
from support.calling import at_b2, postgres_at_b2
from support.faults import Fault
from support.postgres import PostgresServer

#: As `HASTY` of the stores' own tests, for commands whose servers are gone.
IMPATIENT = Patience(connect=2.0, small=5.0, data=20.0, repeats=2, repeat_for=5.0)
#: The least that a server takes for a part of an upload; and a database, in megabytes, that is two of them.
PART, LARGE = 5 << 20, 6
_CONFIG = '[environments.development]\nstore = "{store}"\ncompression = "{compression}"\n'


def error_answer(code: str, message: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


EXPIRED = error_answer("ExpiredToken", "The provided token has expired.")
SLOW_DOWN = error_answer("SlowDown", "Please reduce your request rate.")


def is_artifact(method: str, path: str) -> bool:
    """A request that carries bytes of an artifact, the whole of it or a part."""
    return method == "PUT" and "/artifact" in path and ".claims" not in path


def is_late(method: str, path: str) -> bool:
    """The same, but for the first one of several parts."""
    return is_artifact(method, path) and "partNumber=1&" not in path


def is_manifest(method: str, path: str) -> bool:
    return method == "PUT" and path.endswith("/manifest.json")


def is_reading(method: str, path: str) -> bool:
    return method == "GET" and "/artifact" in path


def from_then_on(begin: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    """Every request from the first one that `begin` picks."""
    begun: list[str] = []

    def is_after(method: str, path: str) -> bool:
        if begin(method, path):
            begun.append(path)
        return bool(begun)

    return is_after


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something between a command and its bucket: `faults` makes it anew for each call. What is not outlived says
    `why`, in which {host} is the server's, and `hint`; `at` names the object that could not be written."""

    name: str
    faults: Callable[[], list[Fault]]
    why: str = ""
    hint: str = ""
    at: str = "artifact"


_NETWORK = "check the network, and the endpoint in the environment (AWS_ENDPOINT_URL); then run the command again"
_GONE = "{host}: the connection was cut before the answer came"
OUTLIVED = (
    Trouble("cut half-way", lambda: [Fault(is_artifact, times=1, cut_request=lambda length: length // 2)]),
    Trouble("cut at the last byte", lambda: [Fault(is_artifact, times=1, cut_request=lambda length: length - 1)]),
    Trouble("broken for a moment", lambda: [Fault(is_artifact, times=2, status="500 Internal Server Error")]),
    Trouble(
        "throttled",
        lambda: [
            Fault(is_artifact, times=1, status="503 Slow Down", body=SLOW_DOWN),
            Fault(is_artifact, times=1, status="429 Too Many Requests"),
        ],
    ),
    Trouble("last answer lost", lambda: [Fault(is_manifest, times=1, cut_answer=0)]),
)
TOLD = (
    Trouble(
        "broken for good",
        lambda: [Fault(from_then_on(is_late), status="503 Slow Down", body=SLOW_DOWN)],
        "SlowDown: Please reduce your request rate.",
        "the server is busy or broken: wait, then run the command again",
    ),
    Trouble(
        "expired half-way",
        lambda: [Fault(from_then_on(is_late), status="400 Bad Request", body=EXPIRED)],
        "ExpiredToken: The provided token has expired.",
        "renew the credentials (aws sso login, or a new session token), then run the command again",
    ),
    Trouble("gone half-way", lambda: [Fault(from_then_on(is_late), is_gone=True)], _GONE, _NETWORK),
    Trouble("gone at the end", lambda: [Fault(from_then_on(is_manifest), is_gone=True)], _GONE, _NETWORK, "manifest"),
)


@dataclass
class Ground:
    """A project that backups are made of by one method; `parents` are the files of a backup to build on, if need be."""

    folder: Path
    method: str
    compression: str = "zstd"
    address: DatabaseAddress | None = None
    parents: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._project = open_project(self.folder, None)
        self._kit = self._project.equipment(self._project.migrator.describe())

    def use(self, place: str) -> Store:
        """Have the project's backups in this place, which gets what is built on; returns the store there."""
        self._write(place)
        store = open_store(self._project.config, place)
        for key in sorted(self.parents, key=lambda key: key.endswith("/manifest.json")):
            with store.open_write(key) as out:
                out.write(self.parents[key])
        self._kit = replace(self._kit, store=store)
        return store

    def _write(self, store: str) -> None:
        (self.folder / "handrail.toml").write_text(_CONFIG.format(store=store, compression=self.compression))

    @property
    def room(self) -> int:
        """The bytes that a store must have free before an uncompressed backup of everything is begun."""
        request = DumpRequest(Format.PG_BASE) if self.method == "base" else WHOLE
        return int(self._kit.database.size_bytes(request) * DUMP_ROOM) + (1 << 20)

    def make_parent(self, method: str) -> None:
        """A backup that was proven, kept aside."""
        self._write("aside")
        words = [sys.executable, "-m", "handrail.cli.main", "backup", "create", "--method", method]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True, env=_without_env())
        aside = self.folder / "aside"
        files = (path for path in aside.rglob("*") if path.is_file())
        self.parents = {path.relative_to(aside).as_posix(): path.read_bytes() for path in files}

    def listed(self) -> list[tuple[str, bool]]:
        """Id of each backup, newest first, and whether it was proven to restore. Nothing may be unreadable."""
        catalog = read_catalog(self._kit)
        assert (catalog.unreadable, catalog.not_understood, catalog.deleted) == ((), (), ())
        return [(one.id, one.is_verified) for one in catalog.records]

    def check_newest(self) -> None:
        """BackupError when what lies there is not what was made."""
        artifact = read_catalog(self._kit).records[0].artifact
        with self._kit.store.open_read(artifact.key) as stored:
            check(stored, artifact)

    def leftovers(self) -> list[str]:
        """What a command has left in the project's own folder of work."""
        return sorted(path.name for path in (self.folder / ".handrail" / "work").glob("*"))


def _without_env() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "ENV"}


def sqlite_ground(folder: Path, method: str) -> Ground:
    """With rows that make a whole backup one of several parts, and an increment one of a megabyte."""
    ground = Ground(at_b2(folder), method)
    with closing(sqlite3.connect(folder / "local.db")) as connection, connection:
        connection.execute("CREATE TABLE pictures (id integer PRIMARY KEY, data blob)")
        connection.executemany("INSERT INTO pictures (data) VALUES (?)", [(os.urandom(1 << 20),)] * LARGE)
    if method == "increment":
        ground.make_parent("copy")
        with closing(sqlite3.connect(folder / "local.db")) as connection, connection:
            connection.execute("UPDATE pictures SET data = ? WHERE id = 1", [os.urandom(1 << 20)])
    return ground


def postgres_ground(folder: Path, server: PostgresServer, method: str) -> Ground:
    """Small dumps; the files of the server, uncompressed, are of several parts."""
    address = postgres_at_b2(folder, server)
    random = "SELECT n AS id, sha512(n::text::bytea || random()::text::bytea) AS data FROM generate_series(1, {0}) n"
    server.execute(address, ["CREATE TABLE pictures AS " + random.format(2000)])
    ground = Ground(folder, method, "none" if method == "base" else "zstd", address)
    if method == "increment":
        ground.make_parent("base")
        server.execute(address, ["CREATE TABLE more AS " + random.format(500)])
    return ground


def fill(disk: Path, left: int) -> Path:
    """A file that leaves so many bytes of this disk."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - left))
    return ballast
