"""Measures autogenerate for enum columns: how many changes each tool gets right, and what they cost on PostgreSQL.

A cell is one edit of the models, played from end to end with rows in place (`tests/support/enum_walks.py`): autogenerate,
upgrade, the rows as they should be, nothing more to generate, downgrade, upgrade again. Plain Alembic and
alembic-postgresql-enum play the same cells in an environment of their own, in which handrail is not installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from bench.measuring import Figure
from bench.waiting import waits

from handrail.databases.postgres.binaries import find_server_binaries
from handrail.databases.postgres.cluster import ThrowawayCluster

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "enum-tools"
LIBRARIES = (
    "alembic-postgresql-enum==1.11.0",
    "psycopg[binary]",
    "sqlglot",
    "xxhash",
    "blake3",
    "zstandard",
    "tenacity",
)
TOOLS = ("handrail", "plain Alembic", "alembic-postgresql-enum")
_ROWS = 1_000_000
_MADE = f"""
CREATE TYPE status AS ENUM ('scheduled', 'gone', 'done');
CREATE TABLE bookings (id integer PRIMARY KEY, native status NOT NULL DEFAULT 'scheduled',
  checked varchar(50) NOT NULL DEFAULT 'scheduled' CONSTRAINT ck CHECK (checked IN ('scheduled', 'gone', 'done')),
  plain varchar(50) NOT NULL DEFAULT 'scheduled', note text);
INSERT INTO bookings (id, note) SELECT n, repeat('x', 60) FROM generate_series(1, {_ROWS}) n;
CREATE INDEX ix_native ON bookings (native);
CREATE INDEX ix_plain ON bookings (plain);
VACUUM ANALYZE bookings;
"""
_CHECK = "CHECK (checked IN ('scheduled', 'gone', 'done', 'late'))"
_TO = "ALTER TABLE bookings ALTER {0} DROP DEFAULT, ALTER {0} TYPE {1} USING {0}::text::{1}, ALTER {0} SET DEFAULT 'scheduled'"
_NARROW = "CREATE TYPE status AS ENUM ('scheduled', 'done')"
#: What a change of members or of the strategy comes to, as transactions.
COSTS: Sequence[tuple[str, Sequence[Sequence[str]]]] = (
    ("varchar: a new member", ()),
    ("native: a new member (ADD VALUE)", [["!ALTER TYPE status ADD VALUE 'late' AFTER 'gone'"]]),
    ("native: a member renamed (RENAME VALUE)", [["ALTER TYPE status RENAME VALUE 'gone' TO 'left'"]]),
    ("native: a member removed (another type)",
     [["ALTER TYPE status RENAME TO old", _NARROW, _TO.format("native", "status"), "DROP TYPE old"]]),
    ("check: a new member (NOT VALID, then VALIDATE)",
     [[f"ALTER TABLE bookings DROP CONSTRAINT ck, ADD CONSTRAINT ck {_CHECK} NOT VALID"],
      ["ALTER TABLE bookings VALIDATE CONSTRAINT ck"]]),
    ("check: the same without NOT VALID", [[f"ALTER TABLE bookings DROP CONSTRAINT ck, ADD CONSTRAINT ck {_CHECK}"]]),
    ("varchar to native", [[_TO.format("plain", "status")]]),
    ("native to varchar", [[_TO.format("native", "varchar(50)")]]),
    ("varchar to check",
     [["ALTER TABLE bookings ADD CONSTRAINT ck2 CHECK (plain IN ('scheduled', 'gone', 'done')) NOT VALID"],
      ["ALTER TABLE bookings VALIDATE CONSTRAINT ck2"]]),
    ("check to varchar", [["ALTER TABLE bookings DROP CONSTRAINT ck"]]),
)  # fmt: skip
_LOCKS = """
SELECT string_agg(DISTINCT mode, ', ') FROM pg_locks
WHERE pid = pg_backend_pid() AND relation = 'bookings'::regclass AND granted
"""


def measure_enums() -> Iterator[Figure]:
    """Cells passed by each tool on each database, then the costs."""
    yield from _cells()
    binaries = find_server_binaries()
    if binaries:
        with ThrowawayCluster(binaries[-1], settings=("max_wal_size=8GB", "shared_buffers=1GB")) as cluster:
            address = cluster.address
            where = f"host={address.host} port={address.port} user={address.user} password={address.password} dbname="
            yield from _costs(where, address.database, f"PostgreSQL {binaries[-1].version}, {_ROWS:,} rows, 2 indexes")


def _costs(where: str, database: str, remark: str) -> Iterator[Figure]:
    with psycopg.connect(where + database, autocommit=True) as connection:
        connection.execute(b"CREATE DATABASE made")
        with psycopg.connect(f"{where}made", autocommit=True) as making:
            for statement in _MADE.strip().split(";\n"):
                making.execute(statement.encode())
        for name, transactions in COSTS:
            seconds, reader, writer = _on_a_copy(connection, where, partial(_waits, transactions=transactions))
            locks = _on_a_copy(connection, where, partial(_locks, transactions=transactions))
            told = f"{seconds:.3f} s, waits {max(reader, writer):.3f} s"
            yield Figure(f"enum cost, {name}", told if transactions else "nothing", limit=f"{locks}; {remark}")


def _on_a_copy(connection: psycopg.Connection[Any], where: str, act: Callable[[str], T]) -> T:
    connection.execute(b"CREATE DATABASE tried TEMPLATE made STRATEGY file_copy")
    try:
        return act(f"{where}tried")
    finally:
        connection.execute(b"DROP DATABASE tried WITH (FORCE)")


def _waits(where: str, transactions: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    return waits(where, "bookings", transactions)


def _locks(where: str, transactions: Sequence[Sequence[str]]) -> str:
    """The modes in which each transaction locks the table, rolled back."""
    found = []
    with psycopg.connect(where) as connection:
        for statements in transactions:
            if statements[0].startswith("!"):
                found.append("none")
                continue
            for statement in statements:
                connection.execute(statement.encode())
            row = connection.execute(_LOCKS.encode()).fetchone()
            found.append(str((row[0] if row else None) or "").replace("Lock", "") or "none")
            if len(transactions) > 1 and statements is not transactions[-1]:
                connection.commit()
                continue
            connection.rollback()
    return " / ".join(found) or "none"


def _cells() -> Iterator[Figure]:
    others = _environment()
    for tool in TOOLS:
        python = sys.executable if tool == "handrail" else others
        if python is None:
            yield Figure(f"enum cells: {tool}", "not measured: it cannot be installed")
            continue
        words = [str(python), "-m", "support.enum_scores", tool]
        path = os.pathsep.join(str(ROOT / name) for name in ("tests", "src"))
        environment = {**os.environ, "PYTHONPATH": path, "HANDRAIL_PG_CACHE": str(ROOT / ".cache" / "postgresql")}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
        if done.returncode:
            yield Figure(f"enum cells: {tool}", "not measured", limit=done.stderr.strip().splitlines()[-1])
            continue
        for line in done.stdout.splitlines():
            score = json.loads(line)
            name = f"enum cells: {tool}, {score['strategy']}, {score['database']}"
            failed = score["failed"]
            limit = f"fails: {', '.join(failed[:3])}{' …' if len(failed) > 3 else ''}" if failed else ""
            passed = f"{score['cells'] - len(failed)} of {score['cells']}"
            yield Figure(name, passed, limit=limit, details=score)


def _environment() -> Path | None:
    """A Python with the other tools and without handrail; None when they cannot be had."""
    python = CACHE / "bin" / "python"
    if not (CACHE / "ready").exists():
        venv.create(CACHE, with_pip=True, clear=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", *LIBRARIES], capture_output=True, check=False)
        if done.returncode:
            return None
        (CACHE / "ready").touch()
    return python
