"""Litestream's program found, refused and called; how far it has read a WAL, told by its own header."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handrail.archives.litestream import LitestreamArchive, LitestreamSettings
from handrail.archives.litestream_position import Position, position
from handrail.archives.litestream_program import Program
from handrail.backups.moments import ArchiveError
from handrail.config import load_config
from handrail.errors import ConfigError, UsageError
from handrail.facts import DatabaseAddress
from handrail.wiring_archives import open_archive, place_of, settings_of


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> Program:
    """A program that is found in `folder` only, where `script` stands for Litestream."""
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    if script is not None:
        (folder / "litestream").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "litestream").chmod(0o755)
    return Program({"PATH": str(folder), "AWS_SECRET_ACCESS_KEY": "hush"})


def test_without_litestream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        elsewhere(tmp_path, monkeypatch, None).release()
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR564",
        "litestream is not installed",
        "SQLite's archive is kept by it, and it is not part of handrail itself",
        "pip install 'handrail[litestream]'",
    )


@pytest.mark.parametrize("version", ["v0.3.13", "0.5.11", "(development build)"])
def test_one_that_is_too_old(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as caught:
        elsewhere(tmp_path, monkeypatch, f"echo '{version}'").release()
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (
        "HR564",
        f"litestream {version} is too old",
        "handrail works with 0.5.12 and newer; 0.3 writes another format",
        "pip install 'handrail[litestream]' --upgrade",
    )


def test_the_releases_that_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elsewhere(tmp_path, monkeypatch, "echo v0.10.0").release() == "0.10.0"


def test_its_words_are_told_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = elsewhere(tmp_path, monkeypatch, "echo noise; echo 'Error: hush was refused' >&2; echo more >&2; exit 3")
    with pytest.raises(ArchiveError) as caught:
        program.call(["ltx"], "it failed")
    error = caught.value
    assert (error.code, error.message, error.why) == ("HR560", "it failed", "litestream says: … was refused")
    with pytest.raises(ArchiveError) as caught:
        elsewhere(tmp_path, monkeypatch, "exit 3").call(["ltx"], "it failed")
    assert caught.value.why == "litestream ended with 3"


def replicated(database: Path, archive: Path) -> None:
    """One round of the real Litestream."""
    words = [
        str(Path(sys.executable).with_name("litestream")),
        "replicate",
        "-once",
        str(database),
        f"file://{archive}",
    ]
    subprocess.run(words, check=True, capture_output=True)


def test_how_far_the_wal_was_read(tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    assert position(database) is None
    with closing(sqlite3.connect(database, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        assert position(database) is None
        replicated(database, tmp_path / "archive")
        there = position(database)
        assert there is not None
        assert there.is_current is True
        raw.execute("INSERT INTO t VALUES (1)")
        assert position(database) == Position(there.transaction, False)
        replicated(database, tmp_path / "archive")
        later = position(database)
        assert later is not None
        assert (later.is_current, later.transaction > there.transaction) == (True, True)
        raw.execute("INSERT INTO t VALUES (2)")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert position(database) == Position(later.transaction, None)  # the WAL that would tell is empty
        raw.execute("INSERT INTO t VALUES (3)")
        assert position(database) == Position(later.transaction, False)  # another WAL, with something in it
    newest = max((tmp_path / ".app.db-litestream" / "ltx" / "0").glob("*.ltx"))
    newest.write_bytes(b"LTX2" + newest.read_bytes()[4:])
    assert position(database) is None
    newest.write_bytes(b"LTX1")
    assert position(database) is None


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    settings = LitestreamSettings(
        environment="production",
        database=tmp_path / "app.db",
        place=str(tmp_path / "archive"),
        folder=tmp_path / "state",
        work_dir=tmp_path / "work",
        project=tmp_path,
        program="handrail",
        user="app",
        keep=timedelta(days=7),
        fine=timedelta(hours=24),
        sync=1.0,
    )
    (tmp_path / "there").write_text("mine")
    archive = LitestreamArchive(settings, {}, lambda: datetime.now(UTC))
    with pytest.raises(ArchiveError) as caught:
        archive.write_files(None, tmp_path / "there")
    error = caught.value
    assert (error.code, error.message, error.hint) == (
        "HR566",
        f"{tmp_path}/there is there already",
        "choose another name",
    )
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(ArchiveError, match="the newest content cannot be restored"):
        archive.write_files(None, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "there"]
    assert (tmp_path / "state" / "litestream.yml").stat().st_mode & 0o777 == 0o600


def test_places(tmp_path: Path) -> None:
    def place(written: str) -> str:
        (tmp_path / "handrail.toml").write_text(
            f'[environments.production.archive]\ntool = "litestream"\nplace = "{written}"\n'
        )
        config = load_config(tmp_path, env="production", environ={})
        assert open_archive(config, DatabaseAddress("sqlite", str(tmp_path / "app.db"))).place
        return place_of(config, settings_of(config))

    assert place("archive") == f"{tmp_path}/archive"
    assert place("../archive") == f"{tmp_path.parent}/archive"
    assert place("file:///mnt/archive") == "/mnt/archive"
    assert place("sftp://ann@host/archive") == "sftp://ann@host/archive"
    with pytest.raises(ConfigError) as caught:
        place("sftp://ann:hush@host/archive")
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "`archive.place` of the environment production holds a password",
        "a configuration file is no place for it (it is not shown here)",
        "leave it out, and export what the archive's tool reads, see https://github.com/puddingcamp/handrail/blob/main/docs/archives.md",
    )
