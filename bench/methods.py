"""Measures each way to make a backup: made, restored and proven, against the program that does the physical part of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.dumping import bare, filled
from bench.measuring import Figure, compared, timed
from bench.sample import MB, make_database

from handrail.backups.methods import WAYS, DumpRequest, Format, Method, Way, request_of
from handrail.backups.record import StoredArtifact
from handrail.databases.database import Database
from handrail.databases.postgres.binaries import ServerBinaries, find_server_binaries
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.databases.postgres.connection import tool_environment
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from handrail.stores.encoding import reading, writing
from handrail.stores.file import FileStore

_KEY = "bench/artifact"
_SETTINGS = ("wal_level=replica", "max_wal_senders=4")
_ZSTD = ("zstd", "-1", "-T2", "-q", "-c")


@dataclass
class Bench:
    """One way on one database, its artifact in a store of its own. `bare_make` and `bare_restore` are the seconds of the
    plain programs for the same."""

    database: Database
    way: Way
    store: FileStore
    bare_make: Callable[[], float]
    bare_restore: Callable[[], float]
    artifact: StoredArtifact | None = None

    @property
    def request(self) -> DumpRequest:
        return request_of(self.way)

    def make(self) -> float:
        """Dumped with every row's fingerprint, compressed, digested, on the disk."""
        if self.artifact is not None:
            self.store.delete(_KEY)

        def run() -> None:
            with self.store.open_write(_KEY) as out, writing(out, _KEY, "zstd") as writer:
                self.database.dump(writer.sink, self.request)
                writer.finish()
                self.artifact = writer.artifact()

        return timed(run)

    def restore(self) -> float:
        return self._restored(lambda copy: None)

    def prove(self) -> float:
        """Restored, every row digested again, the catalog read."""
        return self._restored(lambda copy: (copy.fingerprint(), copy.facts()))

    def _restored(self, then: Callable[[Database], object]) -> float:
        assert self.artifact is not None
        with self.database.scratch("bench", self.request) as copy:

            def run() -> None:
                assert self.artifact is not None
                with self.store.open_read(_KEY) as stored, reading(stored, self.artifact) as content:
                    copy.load(content, self.request)
                then(copy)

            return timed(run)

    def figures(self, name: str, rounds: int, plain: tuple[str, str]) -> Iterator[Figure]:
        yield compared(
            f"{name}, {self.way.method}: made : {plain[0]}", self.make, self.bare_make, rounds=rounds, warm=False,
            limit="ours with the fingerprint of every row and a digest, on the disk",
        )  # fmt: skip
        assert self.artifact is not None
        yield Figure(f"{name}, {self.way.method}: size", f"{self.artifact.size / MB:.0f} MB")
        yield compared(
            f"{name}, {self.way.method}: restored : {plain[1]}", self.restore, self.bare_restore, rounds=rounds,
            warm=False, target=1.1, limit="ours checks the stored bytes",
        )  # fmt: skip
        yield compared(
            f"{name}, {self.way.method}: proven : restored by handrail", self.prove, self.restore, rounds=rounds,
            warm=False, target=1.5, limit="restored, every row digested, the catalog compared",
        )  # fmt: skip


def measure_methods(work: Path, sqlite_size: int, postgres_size: int, rounds: int) -> Iterator[Figure]:
    """Every way on both engines."""
    yield from _on_sqlite(work, sqlite_size, rounds)
    yield from _on_postgres(work, postgres_size, rounds)


def _on_sqlite(work: Path, size: int, rounds: int) -> Iterator[Figure]:
    path = make_database(work, size)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
    database = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=work / "work")
    name, shell = f"SQLite {path.stat().st_size / MB:.0f} MB", shutil.which("sqlite3")
    if shell is None:
        yield Figure(name, "not measured: no shell sqlite3 at hand")
        return
    new, text = work / "bare.db", work / "bare.sql"
    text.write_bytes(subprocess.run([shell, str(path), ".dump"], capture_output=True, check=True).stdout)

    def fresh(*words: str, source: Path | None = None) -> float:
        new.unlink(missing_ok=True)
        with (source or Path(os.devnull)).open("rb") as stream:
            return timed(lambda: subprocess.run(words, stdin=stream, check=True))

    plain = {
        Method.COPY: (
            "sqlite3 .backup",
            "cp",
            lambda: fresh(shell, str(path), f".backup {new}"),
            lambda: fresh("cp", "--reflink=never", str(path), str(new)),
        ),
        Method.DUMP: (
            "sqlite3 .dump | zstd -1 -T2",
            "sqlite3 < text",
            lambda: bare(work, [shell, str(path), ".dump"], _ZSTD),
            lambda: fresh(shell, str(new), source=text),
        ),
    }
    for way in (one for one in WAYS["sqlite"] if not one.is_increment):
        made, restored, make, restore = plain[way.method]
        with tempfile.TemporaryDirectory(dir=work) as folder:
            bench = Bench(database, way, FileStore(Path(folder)), make, restore)
            yield from bench.figures(name, rounds, (made, restored))


def _on_postgres(work: Path, size: int, rounds: int) -> Iterator[Figure]:
    binaries = find_server_binaries()
    if not binaries:
        yield Figure("PostgreSQL", "not measured: no server programs at hand")
        return
    with (
        ThrowawayCluster(binaries[-1], settings=_SETTINGS) as cluster,
        filled(cluster, size) as (_, actual),
        tempfile.TemporaryDirectory(dir=work) as place,
    ):
        database = PostgresDatabase(cluster.address)
        name = f"PostgreSQL {binaries[-1].version}, {actual / MB:.0f} MB"
        plain = _Plain(database, binaries[-1], Path(place))
        for way in (one for one in WAYS["postgresql"] if not one.is_increment):
            made, restored, make, restore = plain.of(way)
            with tempfile.TemporaryDirectory(dir=work) as folder:
                bench = Bench(database, way, FileStore(Path(folder)), make, restore)
                yield from bench.figures(name, rounds, (made, restored))


@dataclass
class _Plain:
    """The plain programs on one database, and what they wrote."""

    database: PostgresDatabase
    binaries: ServerBinaries
    place: Path

    def of(self, way: Way) -> tuple[str, str, Callable[[], float], Callable[[], float]]:
        """What making and restoring are called, and both."""
        file = self.place / way.format
        dump, restore = [self._tool("pg_dump"), *self._where("postgres")], self._tool("pg_restore")
        match way.format:
            case Format.PG_CUSTOM:
                return (
                    "pg_dump -Fc", "pg_restore -j2",
                    lambda: self._made(file, [*dump, "-Fc", f"-f{file}"]),
                    lambda: self._loaded([restore, "-j2", str(file)]),
                )  # fmt: skip
            case Format.PG_DIRECTORY:
                return (
                    "pg_dump -Fd -j2", "pg_restore -j2",
                    lambda: self._made(file, [*dump, "-Fd", "-j2", f"-f{file}"]),
                    lambda: self._loaded([restore, "-j2", str(file)]),
                )  # fmt: skip
            case Format.PG_PLAIN:
                return (
                    "pg_dump -Fp", "psql",
                    lambda: self._made(file, [*dump, "-Fp", f"-f{file}"]),
                    lambda: self._loaded([self._tool("psql"), "-qX", f"-f{file}"]),
                )  # fmt: skip
        return (
            "pg_basebackup -Ft", "tar -x",
            lambda: self._made(file, [self._tool("pg_basebackup"), *self._where(), "-Ft", "-Xfetch", "-cfast", "-D", str(file)]),
            lambda: self._unpacked(file / "base.tar"),
        )  # fmt: skip

    def _tool(self, name: str) -> str:
        return str(self.binaries.bin_dir / name)

    def _where(self, database: str = "") -> list[str]:
        address = self.database.address
        words = ["-h", address.host, "-p", str(address.port), "-U", address.user]
        return [*words, "-d", database] if database else words

    def _run(self, words: Sequence[str]) -> None:
        environment = tool_environment(self.database.address, "bench")
        subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def _made(self, file: Path, words: Sequence[str]) -> float:
        if file.is_dir():
            shutil.rmtree(file)
        file.unlink(missing_ok=True)
        return timed(lambda: self._run(words))

    def _loaded(self, words: Sequence[str]) -> float:
        with self.database.scratch("bare") as copy:
            name = copy.address.database
            return timed(lambda: self._run([*words[:1], *self._where(name), *words[1:]]))

    def _unpacked(self, tar: Path) -> float:
        folder = self.place / "unpacked"
        folder.mkdir()
        seconds = timed(lambda: self._run(["tar", "-xf", str(tar), "-C", str(folder)]))
        shutil.rmtree(folder)
        return seconds
