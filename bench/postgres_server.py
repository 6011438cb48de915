"""The throwaway server of a benchmark, as tools need to know it: addresses, programs, folders and the account it runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import psycopg
from bench.watched import Command

from handrail.databases.postgres.cluster import ThrowawayCluster


class Server:
    """Its database is `app`."""

    def __init__(self, cluster: ThrowawayCluster) -> None:
        self._cluster = cluster
        self.version = cluster.binaries.version
        self.bin_dir: Path = cluster.binaries.bin_dir
        self.sockets = cluster.socket_folder
        self.data = cluster.socket_folder.parent / "d"
        self.port = cluster.port
        self.user = cluster.address.user
        owner = self.data.stat().st_uid
        #: The account that owns the server's files; None where it is one's own.
        self.account = None if owner == os.geteuid() else pwd.getpwuid(owner)

    @property
    def url(self) -> str:
        address = self._cluster.address
        return f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/app"

    def where(self, database: str) -> str:
        address = self._cluster.address
        return (
            f"host={address.host} port={address.port} user={address.user} password={address.password} dbname={database}"
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.where(database), autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def number(self, sql: str, database: str = "postgres") -> int:
        with self.connect(database) as connection:
            found = connection.execute(sql.encode()).fetchone()
        assert found is not None
        return int(found[0])

    def rows(self, database: str) -> int:
        return self.number("SELECT count(*) FROM bookings", database)

    def size(self) -> int:
        return self.number("SELECT pg_database_size('app')")

    def called(self, name: str, *words: str) -> Command:
        """One of PostgreSQL's own programs, led to this server by its variables."""
        address = self._cluster.address
        variables = {
            "PGHOST": address.host, "PGPORT": str(address.port), "PGUSER": address.user, "PGPASSWORD": address.password,
        }  # fmt: skip
        return Command([str(self.bin_dir / name), *words], variables)

    def given(self, path: Path) -> None:
        """Make a folder that belongs to the server's account."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        if self.account is not None:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
