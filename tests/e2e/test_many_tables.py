"""Backups of databases with very many tables: handrail's own memory is bounded, its time told beside pg_dump's.

HANDRAIL_TABLES names the numbers ("20000,100000"); the figures are in docs/campaigns.md."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.test_growth import handrail, timed
from handrail.databases.postgres.cluster import ThrowawayCluster
from support.calling import at_b2, postgres_at_b2
from support.many_backups import copied_backups, many_sqlite_tables
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.long
#: Of handrail's largest process, without pg_dump and pg_restore, which take several KB a table of their own: what it is
#: with none, and for each.
BASE_MIB, SQLITE_BYTES, POSTGRES_BYTES = 90, 1700, 1300
#: However many tables each of the backups has that are looked at.
MOST_LISTED_MIB = 80


def numbers(unless: str) -> list[int]:
    return [int(text) for text in os.environ.get("HANDRAIL_TABLES", unless).split(",")]


def most_mib(tables: int, each: int) -> int:
    return BASE_MIB + (tables * each >> 20)


def told(name: str, tables: int, *found: tuple[float, int]) -> None:
    print(f"| {name} | {tables:,} | {' | '.join(f'{seconds:.1f} s, {mib} MiB' for seconds, mib in found)} |")


def test_sqlite(tmp_path: Path) -> None:
    for tables in numbers("20000"):  # SQLite takes time by the square of their number, whatever it does
        folder = at_b2(tmp_path / str(tables))
        many_sqlite_tables(folder / "local.db", tables)
        made = handrail(folder, "backup", "create", "--no-verify")
        proven = handrail(folder, "backup", "verify")
        told("SQLite", tables, made, proven)
        assert max(made[1], proven[1]) <= most_mib(tables, SQLITE_BYTES)
        shutil.rmtree(folder)


def test_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    settings = ["max_locks_per_transaction=4096", "shared_buffers=128MB"]
    with ThrowawayCluster(postgres_server.cluster.binaries, settings=settings) as cluster:
        server = PostgresServer(cluster)
        for tables in numbers("20000,100000"):
            folder = tmp_path / str(tables)
            address = postgres_at_b2(folder, server)
            many_postgres_tables(server, address.database, tables)
            where = [f"--host={address.host}", f"--port={address.port}", f"--username={address.user}"]
            words = [str(cluster.binaries.bin_dir / "pg_dump"), "-Fc", "--compress=zstd:1", *where]
            words += [f"--file={folder / 'dump'}", f"--dbname={address.database}"]
            plain = timed(words, folder, PGPASSWORD=address.password)
            made = handrail(folder, "backup", "create", "--no-verify")
            proven = handrail(folder, "backup", "verify")
            told("PostgreSQL, pg_dump", tables, plain, made, proven)
            assert max(made[1], proven[1]) <= most_mib(tables, POSTGRES_BYTES)
            server.drop(address.database)


def many_postgres_tables(server: PostgresServer, database: str, tables: int) -> None:
    """A tenth of them with a row; so few in a transaction that each has room for its locks."""
    address = replace(server.cluster.address, database=database)
    for start in range(0, tables, 1000):
        numbers = range(start, min(start + 1000, tables))
        texts = [f"CREATE TABLE t{n:06} (id int PRIMARY KEY, name text NOT NULL, made timestamptz)" for n in numbers]
        texts += [f"INSERT INTO t{n:06} VALUES (1, 'row of {n}', now())" for n in numbers if not n % 10]
        server.execute(address, ["; ".join(texts)])


def test_many_backups_of_many_tables(tmp_path: Path) -> None:
    """What looks at all of them takes the memory of their headlines."""
    folder = at_b2(tmp_path)
    many_sqlite_tables(folder / "local.db", 5000)
    handrail(folder, "backup", "create", "--no-verify")
    copied_backups(folder / ".handrail" / "store" / "development", 100)
    found = [handrail(folder, *words) for words in (("backup", "list"), ("backup", "prune"), ("status",))]
    told("100 backups: list, prune, status", 5000, *found)
    assert max(mib for _, mib in found) <= MOST_LISTED_MIB
