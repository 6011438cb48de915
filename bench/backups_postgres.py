"""The contest on PostgreSQL: handrail beside pg_dump, pg_basebackup, pgBackRest and Barman, on a server of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psycopg
from bench.archivers import barman, pgbackrest
from bench.contenders import Commands, Handrail, emptied, removed
from bench.contest import Arena, Tool, stored
from bench.measuring import Figure, Table, program, run_measured
from bench.postgres_server import Server
from bench.rivals import servers, tool
from bench.sample import FIRST, MB, bookings, copy_sample, users
from bench.waiting import knocking
from bench.watched import Command, Step

from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.cluster import ThrowawayCluster

_SETTINGS = (
    "wal_level=replica", "max_wal_senders=8", "max_replication_slots=4", "archive_mode=on", "wal_keep_size=1GB",
    "max_wal_size=4GB", "shared_buffers=256MB",
)  # fmt: skip
_SUMMARIES = 17
_NEW = "handrail_bench_restored"
_UPDATE = """UPDATE bookings SET description = left(description, -8) || left(md5(random()::text), 8) WHERE """
_DOUBLE = """INSERT INTO bookings (topic, description, "when", user_id)
 SELECT topic, description, "when", user_id FROM bookings LIMIT {}"""
_INDEXES = 'CREATE INDEX ix_user ON bookings (user_id); CREATE INDEX ix_when ON bookings ("when")'
_REMARKS = (
    "The writer updates a row of `users` in a transaction of its own every millisecond; its longest one is the wait.",
    "x engine: dumps against the faster pg_dump, backups of the whole server against the faster pg_basebackup.",
    "Dumps are restored into a new database by two sessions (plain ones by psql); others become a folder to start a"
    " server on. The server runs without fsync, for all alike; memory is that of the tools, without the server's.",
)


@contextmanager
def filled_server(binaries: ServerBinaries, work: Path, size: int) -> Iterator[Server]:
    """A server with the sample's database `app`, about `size` bytes with its indexes: an eighth made up, then repeated."""
    more = ("summarize_wal=on",) if binaries.version >= _SUMMARIES else ()
    with ThrowawayCluster(binaries, work / f"pg{binaries.version}", (*_SETTINGS, *more)) as cluster:
        server = Server(cluster)
        server.execute(
            "ALTER SYSTEM SET archive_command = '/bin/true'", "SELECT pg_reload_conf()", "CREATE DATABASE app"
        )
        folder = copy_sample(work / f"sample{binaries.version}")
        run_measured([program("alembic"), "upgrade", FIRST], folder, {"ENV": "production", "DATABASE_URL": server.url})
        shutil.rmtree(folder)
        with server.connect("app") as connection:
            _fill(connection, size)
        yield server


def _fill(connection: psycopg.Connection, size: int) -> None:
    rows = bookings()
    with connection.cursor() as cursor:
        with cursor.copy("COPY users FROM STDIN") as copy:
            for user in users():
                copy.write_row(user)
        found = 0
        while found < size // 9:  # the rest are indexes
            with cursor.copy('COPY bookings (topic, description, "when", user_id) FROM STDIN') as copy:
                for row in islice(rows, 5000):
                    copy.write_row(row)
            (found,) = cursor.execute("SELECT pg_table_size('bookings')").fetchone() or (0,)
        (count,) = cursor.execute("SELECT count(*) FROM bookings").fetchone() or (0,)
    for _ in range(7):
        connection.execute(_DOUBLE.format(count).encode())
    connection.execute(_INDEXES.encode())
    connection.execute(b"VACUUM ANALYZE")
    connection.execute(b"CHECKPOINT")


def measure_postgres_backups(work: Path, size: int, rounds: int) -> Iterator[Figure | Table]:
    """A table for the oldest server at hand (pgBackRest from Debian knows no newer one), and one for the newest if it
    can make increments: there only backups of the whole server."""
    found = servers()
    if not found:
        yield Figure("backups of PostgreSQL", "not measured: no server programs at hand")
        return
    for binaries in dict.fromkeys((found[0], found[-1])):
        only_whole = binaries is not found[0]
        if only_whole and binaries.version < _SUMMARIES:
            continue
        with filled_server(binaries, work, size) as server:
            place = _Place(work, server)
            title = f"PostgreSQL {binaries.release}, {server.size() / MB:.0f} MB"
            tools = place.of_server() if only_whole else [*place.dumps(), *place.of_server()]
            remarks = [*_REMARKS, *place.missing()]
            yield from Arena(title, work, tools, place.waiting, place.change, remarks, rounds).run()


class _Place:
    """The database of one server, and every tool on it."""

    def __init__(self, work: Path, server: Server) -> None:
        self.work, self.server = work, server
        self.place = work / f"tools{server.version}"
        self.rows = server.rows("app")
        self.size = server.size()

    def waiting(self, _: Tool, action: Callable[[], object]) -> float:
        with knocking(self.server.where("app"), "UPDATE users SET email = email WHERE id = 8") as found:
            action()
        return found[0].longest * 1000

    def change(self, scattered: bool) -> None:
        first = self.rows // 3
        which = "id % 100 = 7" if scattered else f"id >= {first} AND id < {first + self.rows // 100}"
        with self.server.connect("app") as connection:
            connection.execute((_UPDATE + which).encode())
            connection.execute(b"CHECKPOINT")

    def missing(self) -> list[str]:
        return [
            f"{name}: not measured, it could not be had."
            for name in ("pgbackrest", "barman", "rsync")
            if not tool(name)
        ]

    def dumps(self) -> list[Tool]:
        made: list[Tool] = [self._dump("pg_dump -Fc", "-Fc"), self._dump("pg_dump -Fd -j2", "-Fd", "-j2")]
        for method in ("dump", "dump-directory"):
            made.append(self._ours(method, "dump", self._check_database, new_name=_NEW))
        return made

    def of_server(self) -> list[Tool]:
        with_increments = self.server.version >= _SUMMARIES
        made: list[Tool] = [self._plain(), self._packed()]
        if with_increments:
            made.append(self._incremental())
        made += pgbackrest(self.server, self.place, self._check_folder)
        made += barman(self.server, self.place, self._check_folder, increments=with_increments)
        made.append(self._ours("base", "base", self._check_folder))
        if with_increments:
            made.append(self._ours("increment", "base", self._check_folder, first="base"))
        return made

    def _ours(
        self, method: str, family: str, check: Callable[[Path], str], *, first: str = "", new_name: str = ""
    ) -> Tool:
        return Handrail(method, family, self.place / method, self.server.url, check, first, new_name=new_name)

    def _check_database(self, _: Path) -> str:
        found = self.server.rows(_NEW)
        self.server.execute(f"DROP DATABASE {_NEW} WITH (FORCE)")
        return "" if found == self.rows else f"it has {found:,} rows of {self.rows:,}"

    def _check_folder(self, target: Path) -> str:
        """Whether it looks like a whole data folder; our own proof and pg_verifybackup look closer."""
        try:
            size = stored(target / "base")
            if not (target / "PG_VERSION").is_file() or size < self.size:
                return f"there are {size / MB:.0f} MB of {self.size / MB:.0f}"
        finally:
            removed(target)
        return ""

    def _called(self, name: str, *words: str) -> Command:
        return self.server.called(name, *words)

    def _dump(self, name: str, *words: str) -> Tool:
        store = self.place / name.replace(" ", "")
        file = str(store / "backup")

        def restore(number: int, target: Path) -> Sequence[Step]:
            new = [lambda: self.server.execute(f"CREATE DATABASE {_NEW}")]
            return [*new, self._called("pg_restore", "-j2", "-d", _NEW, file)]

        return Commands(
            name, "dump", store, lambda _: [emptied(store), self._called("pg_dump", *words, "-d", "app", "-f", file)],
            restore, self._check_database, is_engine=True, is_packed=True,
        )  # fmt: skip

    def _base(self, folder: Path, *words: str) -> Command:
        return self._called("pg_basebackup", "-c", "fast", "-D", str(folder), *words)

    def _verified(self, folder: Path) -> Command:
        return self._called("pg_verifybackup", str(folder))

    def _plain(self) -> Tool:
        store = self.place / "plain"
        return Commands(
            "pg_basebackup -Fp", "base", store, lambda _: [emptied(store), self._base(store / "0")],
            lambda _, target: [Command(["cp", "-a", "--reflink=never", str(store / "0"), str(target)])],
            self._check_folder, lambda _: [self._verified(store / "0")], is_engine=True,
        )  # fmt: skip

    def _packed(self) -> Tool:
        store = self.place / "packed"
        packed, looked_at = store / "0" / "base.tar.zst", self.place / "looked-at"
        words = ("-Ft", "-X", "fetch", "--compress=client-zstd:level=1,workers=2")

        def unpacked(target: Path) -> Command:
            text = 'mkdir -m 700 "$2" && zstd -dcq "$1" | tar -x -C "$2"'
            return Command(["sh", "-c", text, "sh", str(packed), str(target)])

        def verify(_: int) -> Sequence[Step]:
            manifest = ["cp", str(store / "0" / "backup_manifest"), str(looked_at)]
            return [unpacked(looked_at), Command(manifest), self._verified(looked_at), lambda: removed(looked_at)]

        return Commands(
            "pg_basebackup -Ft, zstd 1", "base", store, lambda _: [emptied(store), self._base(store / "0", *words)],
            lambda _, target: [unpacked(target)], self._check_folder, verify, is_engine=True, is_packed=True,
            note="verified when unpacked again",
        )  # fmt: skip

    def _incremental(self) -> Tool:
        store = self.place / "incremental"

        def make(number: int) -> Sequence[Step]:
            if number == 0:
                return [emptied(store), self._base(store / "0")]
            before = str(store / str(number - 1) / "backup_manifest")
            return [self._base(store / str(number), f"--incremental={before}")]

        def restore(number: int, target: Path) -> Sequence[Step]:
            parts = [str(store / str(one)) for one in range(number + 1)]
            if number == 0:
                return [Command(["cp", "-a", "--reflink=never", *parts, str(target)])]
            return [self._called("pg_combinebackup", "-o", str(target), *parts)]

        return Commands(
            "pg_basebackup --incremental", "base", store, make, restore, self._check_folder,
            lambda number: [self._verified(store / str(number))], is_engine=True, is_whole=False,
        )  # fmt: skip
