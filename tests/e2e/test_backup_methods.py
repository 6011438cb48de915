"""Every way to make a backup through the command line: made, proven, shown, restored; and what a part cannot do."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import ROWS, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story


def backups(folder: Path) -> list[tuple[str, bool]]:
    """Format of each, and whether it was proven to restore."""
    found = json.loads(handrail(folder, "backup", "list", "--json").out)["result"]["backups"]
    return [(one["format"], one["verified_at"] is not None) for one in found]


def test_sqlite(tmp_path: Path) -> None:
    at_b2(tmp_path)
    for number, method in enumerate(("copy", "dump")):
        made = handrail(tmp_path, "backup", "create", "--method", method)
        assert made.code == 0, made
        assert made.out.endswith(", proven to restore\n")
        new = tmp_path / f"new{number}"
        new.mkdir()
        assert handrail(tmp_path, "backup", "restore", "latest", "--into", str(new / "local.db")).code == 0
        assert rows(new) == ROWS
    assert backups(tmp_path) == [("sqlite-sql", True), ("sqlite-pages", True)]
    assert "holds      the whole database, as sqlite-sql\n" in handrail(tmp_path, "backup", "show").out
    replaced = handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes")
    assert replaced.code == 0, replaced
    assert rows(tmp_path) == ROWS


def test_explain_on_sqlite(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "explain").out == (
        "copy (the default): the file's pages at one instant, its WAL included\n"
        "  good for   everything: the fastest to make and to restore; readers and (in WAL mode) writers go on\n"
        "  mind       read by SQLite only; the whole database or nothing\n"
        "  to make it handrail backup create --method copy\n"
        "dump: SQL text, one line for each row\n"
        "  good for   reading and comparing by people, other versions of SQLite, long keeping\n"
        "  mind       restoring runs every statement: several times slower than a copy\n"
        "  to make it handrail backup create --method dump\n"
        "increment: the parts of the file that changed since the last copy or increment\n"
        "  good for   backups every hour of a large file of which little changes: small, and quick to send\n"
        "  mind       restoring needs every one that it builds on\n"
        "  to make it handrail backup create --method increment\n"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["--method", "dump-plain"],
            "HR200 sqlite has no backup by dump-plain\n  why: there are: copy, dump, increment\n  next: handrail backup explain",
        ),
        (
            ["--table", "bookings"],
            "HR200 copy takes the whole database\n"
            "  why: --table and --schema-only are for pg_dump\n"
            "  next: leave them out",
        ),
        (
            ["--table", "a.b.c"],
            "HR200 'a.b.c' is no name of a table\n  next: write name, schema.name, or \"a name.with dots\"",
        ),
    ],
)
def test_what_sqlite_has_not(tmp_path: Path, words: list[str], error: str) -> None:
    at_b2(tmp_path)
    said = handrail(tmp_path, "backup", "create", *words)
    assert (said.code, said.out, said.error) == (2, "", error)
    assert backups(tmp_path) == []


def test_postgres(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    for method in ("dump", "dump-directory", "dump-plain"):
        made = handrail(tmp_path, "backup", "create", "--method", method, "--jobs", "3")
        assert made.code == 0, made
        assert made.out.endswith(", proven to restore\n")
    assert backups(tmp_path) == [("pg_dump-plain", True), ("pg_dump-directory", True), ("pg_dump-custom", True)]
    said = handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes")
    backup = json.loads(handrail(tmp_path, "backup", "show", "--json").out)["result"]["id"]
    assert (said.code, said.error) == (
        2,
        f"HR200 backup {backup} cannot replace the database\n"
        "  why: plain SQL does not say who owns what\n"
        "  next: restore it into a new database: --into NAME",
    )
    name = f"{address.database}_new"
    assert handrail(tmp_path, "backup", "restore", "latest", "--into", name).code == 0
    postgres_server.drop(name)
    postgres_server.drop(address.database)


def test_a_part_of_postgres(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    made = handrail(tmp_path, "backup", "create", "--table", "bookings")
    assert made.code == 0, made
    assert "holds      the rows of bookings only, as pg_dump-custom\n" in handrail(tmp_path, "backup", "show").out
    said = handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes")
    assert said.code == 2
    assert said.error.splitlines()[1:] == [
        "  why: it holds the rows of bookings only",
        "  next: restore it into a new database: --into NAME",
    ]
    assert handrail(tmp_path, "backup", "create", "--schema-only").code == 0
    listed = handrail(tmp_path, "backup", "list").out
    assert "by hand; definitions and no rows" in listed
    assert "by hand; the rows of bookings only" in listed
    said = handrail(tmp_path, "backup", "create", "--table", "booking")
    assert (said.code, said.error) == (
        2,
        "HR200 there is no table booking with rows of its own\n  next: did you mean --table bookings?",
    )
    assert [proven for _, proven in backups(tmp_path)] == [True, True]
    postgres_server.drop(address.database)


def test_the_files_of_a_server(tmp_path: Path, replica_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, replica_server)
    made = handrail(tmp_path, "backup", "create", "--method", "base")
    assert made.code == 0, made
    assert made.out.endswith(", proven to restore\n")
    folder = tmp_path / "data"
    said = handrail(tmp_path, "backup", "restore", "latest", "--into", str(folder))
    assert said.code == 0, said
    first, proven = said.out.splitlines()
    assert first.endswith(f" into {folder}")
    assert re.fullmatch(r"its rows were proven on [-0-9]+ [:0-9]+ UTC, and its bytes are the same since", proven)
    assert (folder / "PG_VERSION").read_text().strip() == str(replica_server.cluster.binaries.version)
    said = handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes")
    assert said.error.splitlines()[1:] == [
        "  why: it is a whole server's files",
        "  next: restore it into a new folder, and start a server on it: --into FOLDER",
    ]
    said = handrail(tmp_path, "backup", "create", "--method", "base", "--table", "bookings")
    assert (said.code, said.error.splitlines()[0]) == (2, "HR200 base takes the whole database")
    replica_server.drop(address.database)


def test_one_table_beside_the_live_one(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create").code == 0
    with closing(sqlite3.connect(tmp_path / "local.db")) as connection, connection:
        connection.execute("DELETE FROM bookings WHERE id = (SELECT min(id) FROM bookings)")
        connection.execute("UPDATE bookings SET topic = 'other'")
    said = handrail(tmp_path, "backup", "restore", "latest", "--table", "bookings")
    assert (said.code, said.out) == (
        0,
        f"bookings_restored holds the backup's {len(ROWS)} rows of bookings\n"
        f"bookings has {len(ROWS) - 1} row{'' if len(ROWS) == 2 else 's'}: {len(ROWS) - 1} changed since, 0 new, 1 gone\n"
        "when you are done with it, drop bookings_restored: the models do not know it\n",
    )
    said = handrail(tmp_path, "backup", "restore", "latest", "--table", "bookings")
    assert (said.code, said.error) == (
        2,
        "HR200 the table bookings_restored is there already\n  next: choose another name: --into NAME",
    )
    said = handrail(tmp_path, "backup", "restore", "latest", "--table", "bookings", "--into", "again", "--json")
    assert json.loads(said.out)["result"]["side"] == {
        "name": "again", "rows": len(ROWS), "live_rows": len(ROWS) - 1, "lost": 1, "new": 0, "changed": len(ROWS) - 1,
    }  # fmt: skip
    latest = json.loads(handrail(tmp_path, "backup", "show", "--json").out)["result"]["id"]
    said = handrail(tmp_path, "backup", "restore", "latest", "--table", "booking")
    assert (said.code, said.out, said.err) == (  # nothing was restored before
        2,
        "",
        f"HR200 backup {latest} has no table booking\n  next: did you mean --table bookings?\n",
    )
    said = handrail(tmp_path, "backup", "restore", "latest", "--table", "bookings", "--in-place")
    assert said.error == (
        "HR200 where to restore to is not clear\n"
        "  next: --into NAME for a new database, --in-place, or --table NAME alone"
    )
