"""Trouble with the continuous archive, through the command line and with a real Litestream: kills, damage, refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from handrail.backups.moments import written
from support.archived import (
    a_second_later,
    archived,
    arrived,
    damage,
    kept,
    litestream_of,
    now,
    read,
    told,
    write,
)
from support.calling import NEXT, handrail
from support.projects import known_to_env_py

pytestmark = pytest.mark.story

BOTH = [(1, "파이썬 학습", "SCHEDULED"), (2, "API 개발", "SCHEDULED")]
LATE = (3, "late", "OPEN")
NOTE = (
    "note       a moment holds what was committed a second or more before it, and nothing from after it; older than"
    " 24 h, moments are told apart to half a minute"
)


def test_a_killed_litestream_is_told_and_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    folder = archived(tmp_path, NEXT)
    with kept(folder) as run:
        a_second_later()
        before = now()
        os.kill(litestream_of(folder), signal.SIGKILL)
        assert run.wait(30) == 5
    log = (folder / "run.log").read_text()
    assert log[log.index("HR569") :] == (
        "HR569 litestream ended with -9\n  why: its own words are above\n  next: handrail archive status\n"
    )
    write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')", "PRAGMA wal_checkpoint(TRUNCATE)")
    said = handrail(folder, "archive", "status")
    assert (said.code, said.error) == (
        5,
        "HR569 the archive of development needs a look\n  why: nothing keeps the archive now: handrail archive run\n"
        "  next: https://github.com/puddingcamp/handrail/blob/main/docs/archives.md says what to do about each",
    )
    assert told(said)[-2:] == ["problem    nothing keeps the archive now: handrail archive run", NOTE]
    warned = "archive: nothing keeps the archive now: handrail archive run"
    assert json.loads(handrail(folder, "status", "--json").out)["result"]["warnings"] == [warned]
    with kept(folder):
        assert handrail(folder, "upgrade").code == 0
        arrived(folder)
        said = handrail(folder, "archive", "run")
        assert (said.code, said.error) == (
            9,
            f"HR568 the archive is kept already\n  why: litestream runs as process {litestream_of(folder)}\n"
            "  next: end that one first, or leave it be: handrail archive status",
        )
        for number, (moment, revision, rows) in enumerate(
            ((written(before), "b2", BOTH), ("newest", "c3", [*BOTH, LATE]))
        ):
            said = handrail(folder, "backup", "restore", "--to-time", moment, "--into", f"{number}.db")
            assert said.code == 0, said
            assert read(folder / f"{number}.db") == rows
            assert read(folder / f"{number}.db", "SELECT version_num FROM alembic_version") == [(revision,)]
        assert handrail(folder, "status").err == ""


def test_a_damaged_archive_is_told_and_restores_nothing(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    with kept(folder):
        for number in (3, 4, 5):
            write(folder, f"INSERT INTO bookings VALUES ({number}, 'late', 'OPEN')")
            state = arrived(folder)
    whole, archive = folder / "whole", folder / "archive"
    archive.rename(whole)
    assert state.window
    oldest = written(state.window.oldest)

    def restored(*words: str) -> tuple[int, str]:
        said = handrail(folder, "backup", "restore", *words, "--into", "new.db")
        assert not (folder / "new.db").exists()
        assert [path.name for path in (folder / ".handrail" / "work").glob("*")] == []
        return said.code, said.error

    assert restored("--to-time", "newest") == (
        5,
        "HR562 nothing can be restored from <here>/archive\n"
        "  why: nothing keeps the archive now: handrail archive run\n  next: handrail archive status",
    )
    shutil.copytree(whole, archive)
    code, error = restored("--to-time", "2020-01-01T00:00:00Z")
    assert code == 5
    assert error.splitlines()[0] == "HR561 2020-01-01T00:00:00Z cannot be restored"
    assert error.splitlines()[1].startswith(f"  why: <here>/archive holds {oldest} to ")
    assert error.splitlines()[2] == f"  next: the first moment there is: --to-time {oldest}"
    code, error = restored("--to-time", "2999-01-01T00:00:00Z")
    assert (code, error.splitlines()[0]) == (5, "HR561 2999-01-01T00:00:00Z cannot be restored")

    last = damage(archive)
    code, error = restored("--to-time", "newest")
    assert (code, error.splitlines()[0], error.splitlines()[2]) == (
        5,
        "HR560 the newest content cannot be restored from <here>/archive",
        "  next: handrail archive status",
    )
    assert error.splitlines()[1].startswith("  why: litestream says: decode database: ")

    shutil.rmtree(archive)
    shutil.copytree(whole, archive)
    for file in archive.glob("ltx/*/*.ltx"):
        first, end = (int(part, 16) for part in file.stem.split("-"))
        if end not in (1, last) or first not in (1, last):
            file.unlink()
    said = handrail(folder, "archive", "status")
    hole = f"the transactions 2-{last - 1} are missing"
    assert (said.code, said.error.splitlines()[1]) == (
        5,
        f"  why: nothing keeps the archive now: handrail archive run; {hole}",
    )
    assert read(folder / "local.db")[0] == BOTH[0]


def test_a_lost_file_comes_back_and_litestream_has_to_be_started_again(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    with kept(folder):
        for name in ("local.db", "local.db-wal", "local.db-shm"):
            (folder / name).unlink()
        said = handrail(folder, "backup", "restore", "--to-time", "newest", "--in-place", "--yes")
        lost = (
            f"litestream reads another file than {folder}/local.db, which was replaced: end handrail archive run, and start"
            " it again"
        )
        assert (said.code, told(said)[-3:]) == (
            0,
            [
                "the live database cannot be read, so it was not compared",
                "restored the newest content; there was no database before",
                f"warning: archive: {lost}",
            ],
        )
        assert read(folder / "local.db") == BOTH
        assert f"note  archive          {lost}" in handrail(folder, "doctor").out
    write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
    with kept(folder):
        said = handrail(folder, "backup", "restore", "--to-time", "newest", "--into", "new.db")
        assert (said.code, read(folder / "new.db")) == (0, [*BOTH, LATE])
        assert "ok    archive          every change has arrived" in handrail(folder, "doctor").out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("backup", "restore", "--to-time", "2026-11-28T10:00:00"),
            "HR200 where to restore to is not clear\n"
            "  next: --into NAME for a new database, --in-place, or --table NAME alone",
        ),
        (
            ("backup", "restore", "--to-time", "2026-11-28T10:00:00", "--into", "x.db"),
            "HR563 '2026-11-28T10:00:00' does not say of which time zone it is\n"
            "  why: a guess could restore another hour than the one that is meant\n"
            "  next: write 2026-11-28T10:00:00Z for UTC, or add the offset: 2026-11-28T10:00:00+01:00",
        ),
        (
            ("backup", "restore", "latest", "--to-time", "newest", "--into", "x.db"),
            "HR200 what to restore is not clear\n  next: name a backup (handrail backup list), or add --to-time",
        ),
        (
            ("backup", "restore", "latest", "--files", "x.db"),
            "HR200 --files goes with --to-time\n  why: a backup is no set of files\n  next: --into NAME",
        ),
        (
            ("archive", "status", "--env", "staging"),
            "HR565 no archive of staging is configured\n"
            "  why: an archive keeps every change as it happens, so that a moment can be restored\n"
            '  next: write [environments.staging.archive] in handrail.toml with tool = "litestream" and place ='
            ' "/mnt/archive" for SQLite, or tool = "barman" and the name of Barman\'s server as place for PostgreSQL, see'
            " https://github.com/puddingcamp/handrail/blob/main/docs/archives.md",
        ),
        (
            ("archive", "run"),
            "HR567 <here>/local.db is in delete mode, not WAL\n"
            "  why: Litestream would switch it by itself, and from then on every program locks it otherwise\n"
            "  next: sqlite3 <here>/local.db 'PRAGMA journal_mode=WAL'",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    folder = archived(tmp_path)
    write(folder, "PRAGMA journal_mode=DELETE")
    said = handrail(folder, *words)
    assert (said.code, said.error) == (2, error)


@pytest.mark.parametrize("is_hidden", [False, True], ids=["alembic.ini", "env.py"])
def test_a_file_that_is_no_database_any_more(tmp_path: Path, is_hidden: bool) -> None:
    """Only files can be had then; they take the damaged one's place by hand. Where it is, env.py knows."""
    folder = archived(tmp_path, NEXT)
    if is_hidden:
        known_to_env_py(folder)
    with kept(folder):
        write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
        arrived(folder)
    live = folder / "local.db"
    for name in ("local.db-wal", "local.db-shm"):
        (folder / name).unlink(missing_ok=True)
    live.write_bytes(b"no database at all" * 1000)
    said = handrail(folder, "archive", "status", "--json")
    assert json.loads(said.out)["result"]["state"]["window"], said
    said = handrail(folder, "backup", "restore", "--to-time", "newest", "--into", "new.db")
    assert said.code == 2
    assert said.error.splitlines()[-1].endswith(
        "Without the database, the archive gives files: --to-time … --files PATH."
    )
    said = handrail(folder, "backup", "restore", "--to-time", "newest", "--files", "new.db")
    assert said.code == 0, said
    warned, *lines = said.out.splitlines()
    assert warned.startswith("warning: the live database was not compared: ")
    assert [line[:34] for line in lines] == ["restored the newest content into n", "  the last change in it was read a"]
    assert read(folder / "new.db") == [*BOTH, LATE]
    assert live.read_bytes().startswith(b"no database")
    said = handrail(folder, "archive", "status")
    assert said.code == 5
    assert "moments    20" in said.out
