"""The recovery sheet restores: its commands are run in a shell that knows nothing of handrail."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from handrail.facts import DatabaseAddress
from support.calling import ROWS, at_b2, handrail, postgres_at_b2
from support.postgres import PostgresServer
from support.sheets import bin_dir, run_sheet

pytestmark = pytest.mark.story

KEY, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()


def with_settings(folder: Path, *, compression: str = "zstd", encrypted: bool = True) -> Path:
    recipients = f'["{KEY.to_public()}"]' if encrypted else "[]"
    (folder / "handrail.toml").write_text(
        f'[environments.development]\ncompression = "{compression}"\nrecipients = {recipients}\n'
        'identity_note = "in the safe"\nidentity = "keys/right"\n'
    )
    (folder / "keys").mkdir()
    for name, key in (("right", KEY), ("other", OTHER)):
        (folder / "keys" / name).write_text(f"{key}\n")
        (folder / "keys" / name).chmod(0o600)
    return folder


def backed_up(folder: Path, *words: str) -> Path:
    """Make a backup; its folder in the store."""
    said = handrail(folder, "backup", "create", *words)
    assert said.code == 0, said.err
    return next((folder / ".handrail" / "store").rglob("RECOVERY.txt")).parent


RESTORED = "restored into {}: revision and numbers of rows are those of the backup\n"


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])
@pytest.mark.parametrize("compression", ["zstd", "none"])
@pytest.mark.parametrize("method", ["copy", "dump"])
def test_on_sqlite(tmp_path: Path, method: str, compression: str, encrypted: bool) -> None:
    project = with_settings(at_b2(tmp_path), compression=compression, encrypted=encrypted)
    backup = backed_up(project, f"--method={method}")
    (project / "local.db").unlink()
    before = sorted(path.name for path in backup.iterdir())
    status, said = run_sheet(backup, tmp_path / "work")
    artifact = next(path.name for path in backup.glob("artifact*"))
    assert said == f"working in <work>\n{artifact}: OK\n" + RESTORED.format("<work>/restored.db")
    assert status == 0
    with closing(sqlite3.connect(tmp_path / "work" / "restored.db")) as connection:
        assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
    assert sorted(path.name for path in backup.iterdir()) == before, "nothing is unpacked beside the backup"
    assert stat.S_IMODE((tmp_path / "work" / "restored.db").stat().st_mode) == 0o600


ODD = [
    'rows|"x"',
    "it's",
    "two\nlines",
    "END",
    "$(touch harmed)",
    "`touch harmed`",
    "; touch harmed #",
    "예약",
    ".quit",
    "\\q",
    "-- no",
]


def test_no_name_of_a_table_becomes_a_command(tmp_path: Path) -> None:
    project = with_settings(at_b2(tmp_path))
    with closing(sqlite3.connect(project / "local.db")) as connection, connection:
        for number, name in enumerate(ODD):
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"CREATE TABLE {quoted} (a)")
            connection.executemany(f"INSERT INTO {quoted} VALUES (?)", [(one,) for one in range(number)])
    status, said = run_sheet(backed_up(project), tmp_path / "work")
    assert (status, said.splitlines()[-1] + "\n") == (0, RESTORED.format("<work>/restored.db")), said
    assert list(tmp_path.rglob("harmed")) == []
    with closing(sqlite3.connect(project / "local.db")) as connection, connection:
        connection.execute("DROP TABLE bookings")


def test_whatever_is_wrong_ends_it(tmp_path: Path) -> None:
    project = with_settings(at_b2(tmp_path))
    backup = backed_up(project)
    status, said = run_sheet(backup, tmp_path / "wrong", key="other")
    assert status != 0
    assert "age: error: no identity matched any of the recipients" in said
    assert "restored into" not in said
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "restored.db").write_text("somebody's")
    status, said = run_sheet(backup, tmp_path / "there")
    assert (status, said.splitlines()[-1]) == (1, "<work>/restored.db is there already")
    assert (tmp_path / "there" / "restored.db").read_text() == "somebody's"
    sheet = backup / "RECOVERY.txt"
    sheet.write_text(sheet.read_text().replace("\nbookings|2\n", "\nbookings|3\n"))
    status, said = run_sheet(backup, tmp_path / "fewer")
    assert (status, said.splitlines()[2:]) == (1, ["2c2", "< bookings|3", "---", "> bookings|2"])
    artifact = next(backup.glob("artifact*"))
    data = artifact.read_bytes()
    artifact.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    status, said = run_sheet(backup, tmp_path / "flipped")
    assert (status, said.splitlines()[1:2]) == (1, [f"{artifact.name}: FAILED"])
    artifact.unlink()
    assert run_sheet(backup, tmp_path / "missing")[0] != 0


def test_it_is_printed_and_written_with_what_is_known_now(tmp_path: Path) -> None:
    project = with_settings(at_b2(tmp_path))
    backup = backed_up(project)
    kept = (backup / "RECOVERY.txt").read_text()
    said = handrail(project, "backup", "sheet")
    assert said.code == 0
    [proven] = re.findall(r"^# proven      (.*)$", said.out, re.MULTILINE)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", proven)
    unknown = "not when this was written; verified-*.json beside it are later proofs"
    assert said.out.replace(f"proven      {proven}", f"proven      {unknown}") == kept
    assert "#     kept: in the safe\n" in kept
    for key in (KEY, OTHER):
        assert str(key) not in kept
    written = handrail(project, "backup", "sheet", "latest", "--output", "sheet.txt")
    told = "written to sheet.txt: print it, and keep it where neither database nor store is\n"
    assert (written.code, written.out) == (0, told)
    assert (project / "sheet.txt").read_text() == said.out
    assert stat.S_IMODE((project / "sheet.txt").stat().st_mode) == 0o600
    again = handrail(project, "backup", "sheet", "--output", "sheet.txt")
    assert (again.code, again.error) == (
        2,
        "HR200 the sheet cannot be written to sheet.txt\n  why: File exists\n  next: name a new file: --output FILE",
    )
    document = json.loads(handrail(project, "backup", "sheet", "--json").out)["result"]
    assert document == {"backup": backup.name, "text": said.out}


def postgres_variables(address: DatabaseAddress) -> dict[str, str]:
    port = str(address.port)
    return {"PGHOST": address.host, "PGPORT": port, "PGUSER": address.user, "PGPASSWORD": address.password}


@pytest.mark.parametrize(
    ("method", "compression", "encrypted"),
    [
        ("dump", "zstd", True),
        ("dump", "none", False),
        ("dump-plain", "none", True),
        ("dump-directory", "zstd", False),
    ],
)
def test_on_postgresql(
    tmp_path: Path, postgres_server: PostgresServer, method: str, compression: str, encrypted: bool
) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    with_settings(tmp_path, compression=compression, encrypted=encrypted)
    names = ["odd 'n\" %d", "two\nlines", "\\q :x"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    postgres_server.execute(address, ["CREATE SCHEMA app", *(f"CREATE TABLE app.{name} (a int)" for name in quoted)])
    target = f"{address.database}_by_hand"
    try:
        backup = backed_up(tmp_path, f"--method={method}")
        more = bin_dir(postgres_server)
        variables = postgres_variables(address) | {"TARGET": target}
        status, said = run_sheet(backup, tmp_path / "work", more=more, **variables)
        assert (status, said.splitlines()[-1] + "\n") == (0, RESTORED.format(target)), said
        with postgres_server.connect(postgres_server.address(target)) as connection:
            assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
        status, said = run_sheet(backup, tmp_path / "again", more=more, **variables)
        assert status != 0
        assert f'database "{target}" already exists' in said
    finally:
        postgres_server.drop(address.database)


@pytest.mark.parametrize("part", ["--table=bookings", "--schema-only"])
@pytest.mark.parametrize("method", ["dump", "dump-plain"])
def test_of_a_part_on_postgresql(tmp_path: Path, postgres_server: PostgresServer, method: str, part: str) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    with_settings(tmp_path)
    postgres_server.execute(
        address,
        [
            "CREATE TABLE users (id int PRIMARY KEY)",
            "INSERT INTO users VALUES (1)",
            "ALTER TABLE bookings ADD COLUMN who int REFERENCES users DEFAULT 1",
        ],
    )
    target = f"{address.database}_by_hand"
    try:
        backup = backed_up(tmp_path, f"--method={method}", part)
        variables = postgres_variables(address) | {"TARGET": target}
        status, said = run_sheet(backup, tmp_path / "work", more=bin_dir(postgres_server), **variables)
        assert (status, said.splitlines()[-1] + "\n") == (0, RESTORED.format(target)), said
        assert ("violates foreign key constraint" in said) is (part == "--table=bookings")
        with postgres_server.connect(postgres_server.address(target)) as connection:
            found = connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()
            assert found == (ROWS if part == "--table=bookings" else [])
    finally:
        postgres_server.drop(address.database)


def test_the_files_of_a_whole_server(tmp_path: Path, replica_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, replica_server)
    with_settings(tmp_path)
    try:
        backup = backed_up(tmp_path, "--method=base", "--no-verify")
        status, said = run_sheet(backup, tmp_path / "work", more=bin_dir(replica_server))
        assert (status, said.splitlines()[-2:]) == (
            0,
            ["backup successfully verified", "restored into <work>/data: compare it with the numbers in RECOVERY.txt"],
        ), said
        assert "# bookings|2\n" in (backup / "RECOVERY.txt").read_text()
        assert (tmp_path / "work" / "data" / "PG_VERSION").read_text() == f"{replica_server.version}\n"
        assert os.access(tmp_path / "work" / "data", os.W_OK)
    finally:
        replica_server.drop(address.database)
