"""When the database is gone, what is stored is needed most: it is listed, proven, copied and restored without it."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

from handrail.facts import DatabaseAddress
from support.calling import ROWS, SECRET, Said, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True


def with_url(address: DatabaseAddress) -> str:
    who = f"{address.user}:{address.password}" if address.password else address.user
    return f"postgresql+psycopg://{who}@{address.host}:{address.port}/{address.database}"


def assert_read(folder: Path, warning: str, backup: str) -> None:
    """Each command that only reads stores does what it does, and says what it goes without."""
    listed = handrail(folder, "backup", "list", "--json")
    assert (listed.code, listed.err) == (0, warning)
    assert [one["id"] for one in json.loads(listed.out)["result"]["backups"]] == [backup]
    shown = handrail(folder, "backup", "show")
    assert (shown.code, shown.out.splitlines()[0], shown.err) == (0, f"id         {backup}", warning)
    sheet = handrail(folder, "backup", "sheet", "--output", "sheet.txt")
    assert (sheet.code, backup in (folder / "sheet.txt").read_text(), sheet.err) == (0, True, warning)
    copied = handrail(folder, "backup", "copy", "latest", "--to", "copies")
    assert copied == Said(
        0,
        f"{backup} is in {folder}/copies: copied to it and read back\n",
        f"{warning}… copy         copying {backup} to <here>/copies\n",
    )


def backup_of(folder: Path, *words: str) -> str:
    made = handrail(folder, "backup", "create", *words, "--json")
    assert made.code == 0, made.err
    return str(json.loads(made.out)["result"]["id"])


def test_a_damaged_file(tmp_path: Path) -> None:
    folder = at_b2(tmp_path)
    backup = backup_of(folder)
    (folder / "local.db").write_bytes(b"no database any more, " * 500)
    warning = (
        "! database     the database sqlite:///<here>/local.db cannot be read: DatabaseError: file is not a database; what"
        " is stored is read without it\n"
    )
    assert_read(folder, warning, backup)
    assert handrail(folder, "backup", "verify").code == 0
    restored = handrail(folder, "backup", "restore", "verified", "--into", "fresh.db")
    assert (restored.code, restored.err.startswith(warning)) == (0, True)
    (folder / "fresh.db").replace(folder / "local.db")
    assert rows(folder) == ROWS


def test_what_needs_the_database_still_says_so(tmp_path: Path) -> None:
    folder = at_b2(tmp_path)
    backup_of(folder)
    (folder / "local.db").write_bytes(b"no database any more, " * 500)
    for words in (("backup", "restore", "latest", "--in-place", "--yes"), ("backup", "prune"), ("status",)):
        said = handrail(folder, *words)
        assert (said.code, said.error.splitlines()[0]) == (
            2,
            "HR230 the database sqlite:///<here>/local.db cannot be read",
        )


def test_a_server_that_is_gone(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    backup = backup_of(tmp_path, "--no-verify")
    with socket.socket() as taken:  # bound, and nobody listens: refused as long as it lasts
        taken.bind(("127.0.0.1", 0))
        gone = replace(address, port=taken.getsockname()[1], password=SECRET)
        ini = tmp_path / "alembic.ini"
        ini.write_text(ini.read_text().replace(with_url(address), with_url(gone)))
        listed = handrail(tmp_path, "backup", "list")
        warning = listed.err
        assert warning.startswith(f"! database     no connection to {gone}: ")
        assert warning.endswith("; what is stored is read without it\n")
        assert_read(tmp_path, warning, backup)
        proof = handrail(tmp_path, "backup", "verify")
        assert (proof.code, "HR230" in proof.err) == (2, True)
        into = with_url(replace(address, database="saved"))
        restored = handrail(tmp_path, "backup", "restore", "latest", "--into", "env:ELSEWHERE", ELSEWHERE=into)
    try:
        assert restored.code == 0, restored.err
        with postgres_server.connect(replace(address, database="saved")) as connection:
            assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
    finally:
        postgres_server.drop("saved")
        postgres_server.drop(address.database)
