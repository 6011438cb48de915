"""Two real backups told apart, on both engines."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import at_b2, handrail, postgres_at_b2
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
CHANGES = (
    "INSERT INTO bookings VALUES (3, 'new', 'SCHEDULED')",
    "CREATE TABLE extra (id int, name text)",
    "CREATE INDEX ix ON extra (name)",
)


def made(folder: Path) -> str:
    said = handrail(folder, "backup", "create", "--no-verify", "--json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["result"]["id"])


def difference(folder: Path, *which: str) -> tuple[str, ...]:
    """What is printed below the first line, which names the backups."""
    said = handrail(folder, "backup", "diff", *which)
    assert (said.code, said.err) == (0, "")
    first, *others = said.out.splitlines()
    assert first.startswith("from 2") and " UTC) to 2" in first
    return tuple(others)


def test_on_sqlite(tmp_path: Path) -> None:
    folder = at_b2(tmp_path)
    old = made(folder)
    with closing(sqlite3.connect(folder / "local.db")) as connection, connection:
        for text in CHANGES:
            connection.execute(text)
    new = made(folder)
    assert difference(folder, old, new) == (
        "added    table extra",
        "added    index ix on extra: CREATE INDEX ix ON extra (name)",
        "rows     bookings: 2, now 3 (+1)",
    )
    assert difference(folder, new) == ("nothing differs",)


@pytest.mark.story
def test_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    old = made(tmp_path)
    postgres_server.execute(address, ["UPDATE bookings SET topic = 'other' WHERE id = 1", *CHANGES[1:]])
    new = made(tmp_path)
    assert difference(tmp_path, old, new) == (
        "added    table extra",
        "added    index ix on extra: CREATE INDEX ix ON public.extra USING btree (name)",
        "values   bookings: 2 rows as before, with other values",
    )
    postgres_server.drop(address.database)
