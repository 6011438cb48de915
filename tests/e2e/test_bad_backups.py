"""A backup that was harmed, through the command line: verify says so, restore refuses, and the live data stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.calling import NEXT, ROWS, Said, assert_postgres_at_b2, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True

DAMAGED = "HR520 the backup file {key} is damaged"
NEXT_STEP = "  next: choose another backup (handrail backup list); make a new one with handrail backup create"


def artifact_of(folder: Path) -> Path:
    return next((folder / ".handrail" / "store").rglob("artifact*"))


def harms(data: bytes) -> dict[str, bytes]:
    """One flipped byte at several offsets, and two cuts."""
    places = (0, len(data) // 3, len(data) // 2, len(data) - 1)
    flipped = {f"flipped at {n}": data[:n] + bytes([data[n] ^ 0x10]) + data[n + 1 :] for n in places}
    return {**flipped, "cut": data[:-1], "halved": data[: len(data) // 2]}


def assert_damaged(said: Said, folder: Path, harm: str) -> None:
    key = artifact_of(folder).relative_to(folder / ".handrail" / "store")
    lines = said.error.splitlines()
    assert (said.code, said.out, lines[0], lines[-1]) == (5, "", DAMAGED.format(key=key), NEXT_STEP), harm
    assert lines[1].startswith("  why: "), harm


def test_verify_says_so_wherever_the_harm_is(tmp_path: Path) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    artifact = artifact_of(tmp_path)
    for harm, stored in harms(artifact.read_bytes()).items():
        artifact.write_bytes(stored)
        assert_damaged(handrail(tmp_path, "backup", "verify"), tmp_path, harm)
    assert list((tmp_path / ".handrail" / "work").iterdir()) == []


def test_restore_refuses_and_touches_nothing(tmp_path: Path) -> None:
    """Uncompressed, where nothing but the digest can tell: the flipped byte is in a row."""
    at_b2(tmp_path)
    (tmp_path / "handrail.toml").write_text("[environments.development]\ncompression = 'none'\n")
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    artifact, live = artifact_of(tmp_path), tmp_path / "local.db"
    data, before = artifact.read_bytes(), live.read_bytes()
    place = data.index("파이썬".encode())
    artifact.write_bytes(data[:place] + b"\xec" + data[place + 1 :].replace(b"API", b"ABI", 1))
    assert_damaged(handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes"), tmp_path, "in place")
    assert_damaged(handrail(tmp_path, "backup", "restore", "latest", "--into", "new.db"), tmp_path, "into")
    assert live.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("*.db*")) == ["local.db", "local.db.handrail-lock"]
    artifact.write_bytes(data)
    assert handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes").code == 0
    assert rows(tmp_path) == ROWS


@pytest.mark.story
def test_postgres(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server, NEXT)
    (tmp_path / "handrail.toml").write_text("[environments.development]\ncompression = 'none'\n")
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    artifact = artifact_of(tmp_path)
    data = artifact.read_bytes()
    for harm in (f"flipped at {len(data) // 2}", "cut"):
        artifact.write_bytes(harms(data)[harm])
        assert_damaged(handrail(tmp_path, "backup", "verify"), tmp_path, harm)
    assert_damaged(handrail(tmp_path, "backup", "restore", "latest", "--in-place", "--yes"), tmp_path, "in place")
    into = f"{address.database}_into"
    assert_damaged(handrail(tmp_path, "backup", "restore", "latest", "--into", into), tmp_path, "into")
    with postgres_server.connect(address) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [address.database])
        assert names.fetchall() == [(address.database,)]
    assert_postgres_at_b2(postgres_server, address)
    postgres_server.drop(address.database)


@pytest.mark.parametrize("harm", ["missing", "manifest"])
def test_a_harmed_backup_is_never_called_verified(tmp_path: Path, harm: str) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    artifact = next((tmp_path / ".handrail" / "store").rglob("artifact*"))
    if harm == "missing":
        artifact.unlink()
    else:
        manifest = artifact.with_name("manifest.json")
        manifest.write_bytes(manifest.read_bytes()[:-40])
    said = handrail(tmp_path, "backup", "verify")
    assert said.code == 5
    assert said.error.startswith("HR5")
    assert "  next: " in said.error
    listed = json.loads(handrail(tmp_path, "backup", "list", "--json").out)["result"]
    assert [backup["verified_at"] for backup in listed["backups"]] == ([] if harm == "manifest" else [None])
    assert len(listed["unreadable"]) == (harm == "manifest")
