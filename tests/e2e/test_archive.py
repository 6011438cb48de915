"""The continuous archive through the command line, with a real Litestream: moments restored, kills, damage."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from handrail.backups.moments import written
from support.archived import (
    TABLE,
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
from support.objects import SECRET, Server, environment

BOTH = [(1, "파이썬 학습", "SCHEDULED"), (2, "API 개발", "SCHEDULED")]
LATE = (3, "late", "OPEN")
NOTE = (
    "note       a moment holds what was committed a second or more before it, and nothing from after it; older than"
    " 24 h, moments are told apart to half a minute"
)


def test_deleted_rows_are_back_as_of_the_second_before(tmp_path: Path) -> None:
    """Into a new database, as one table, in place while Litestream goes on, and as a file."""
    folder = archived(tmp_path)
    with kept(folder):
        write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
        arrived(folder)
        a_second_later()
        deleted_at = now()
        write(folder, "DELETE FROM bookings", "CREATE INDEX topics ON bookings (topic)")
        state = arrived(folder)
        moment = written(deleted_at - timedelta(seconds=1))

        said = handrail(folder, "backup", "restore", "--to-time", moment, "--into", "new.db")
        assert (said.code, told(said)) == (
            0,
            [
                "the content of <time>, at revision b2",
                "  the last change in it was read at <time>",
                "  sound: integrity_check: every page and index entry is sound",
                "  sound: foreign_key_check: every foreign key leads to a row",
                "  no fingerprint of that moment was ever taken, so there is none to compare with; this is what it is now:",
                "    bookings: 3 rows, digest <digest>",
                "since then, in the live database:",
                "  added    index topics on bookings: CREATE INDEX topics ON bookings (topic)",
                "  rows     bookings: 3, now 0 (-3)",
                f"restored the content of <time> into sqlite:///{folder}/new.db",
            ],
        )
        assert read(folder / "new.db") == [*BOTH, LATE]

        said = handrail(folder, "backup", "restore", "--to-time", moment, "--table", "bookings")
        assert (said.code, told(said)[-3:]) == (
            0,
            [
                "bookings_restored holds that moment's 3 rows of bookings",
                "bookings has 0 rows: 0 changed since, 0 new, 3 gone",
                "when you are done with it, drop bookings_restored: the models do not know it",
            ],
        )

        said = handrail(folder, "backup", "restore", "--to-time", moment, "--in-place")
        assert (said.code, said.error) == (
            10,
            f"HR1000 not done: replace sqlite:///<here>/local.db by the content of {moment}?\n"
            "  why: there is no terminal to ask\n  next: add --yes",
        )
        said = handrail(folder, "backup", "restore", "--to-time", moment, "--in-place", "--yes")
        aside = f"{folder}/local.db.failed_<id>"
        assert (said.code, told(said)[-1]) == (
            0,
            f"restored the content of <time>; the former database is kept as {aside}",
        )
        assert read(folder / "local.db") == [*BOTH, LATE]
        (former,) = folder.glob("local.db.failed_*")
        assert read(former) == []

        # Litestream goes on without being started anew: SQLite's own transaction put the content there.
        write(folder, "INSERT INTO bookings VALUES (4, 'later', 'OPEN')")
        later = arrived(folder)
        assert later.window
        assert state.window
        assert later.window.oldest == state.window.oldest
        said = handrail(folder, "backup", "restore", "--to-time", "newest", "--files", str(folder / "file.db"))
        assert (said.code, told(said)[-2:]) == (
            0,
            ["the live database holds the same", f"restored the newest content into {folder}/file.db"],
        )
        assert read(folder / "file.db") == [*BOTH, LATE, (4, "later", "OPEN")]
        assert (folder / "file.db").stat().st_mode & 0o777 == 0o600
    assert list((folder / ".handrail" / "work").iterdir()) == []
    assert "litestream shut down" in (folder / "run.log").read_text()


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
        "  next: docs/archives.md says what to do about each",
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


def test_litestreams_own_tables_are_nobodys_data(tmp_path: Path) -> None:
    """They are in no fingerprint, no drift, and no script drops them."""
    folder = archived(tmp_path)
    env = folder / "migrations" / "env.py"
    columns = "sa.Column('id', sa.Integer, primary_key=True), sa.Column('topic', sa.String(100), nullable=False)"
    status = "sa.Column('status', sa.String(50), nullable=False, server_default='SCHEDULED')"
    models = f"import sqlalchemy as sa\ntarget_metadata = sa.MetaData()\nsa.Table('bookings', target_metadata, {columns}, {status})"
    env.write_text(env.read_text().replace("target_metadata = None", models))
    with kept(folder):
        tables = read(folder / "local.db", "SELECT name FROM sqlite_schema WHERE name LIKE '#_%' ESCAPE '#' ORDER BY 1")
        assert tables == [("_litestream_lock",), ("_litestream_seq",)]
        said = handrail(folder, "check")
        assert (said.code, said.out) == (0, "nothing is pending; models and database agree\n")
        assert handrail(folder, "revision", "-m", "nothing").code == 0
        (script,) = (folder / "migrations" / "versions").glob("*nothing.py")
        assert "drop" not in script.read_text()
        assert handrail(folder, "backup", "create").code == 0
        shown = json.loads(handrail(folder, "backup", "show", "--json").out)["result"]
        assert [one["table"]["name"] for one in shown["fingerprint"]["tables"]] == ["bookings"]


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
            '  next: [environments.staging.archive] with tool = "litestream" and place = "/mnt/archive", see'
            " docs/archives.md",
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


def test_a_drill_of_the_archive(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    with (folder / "handrail.toml").open("a") as settings:
        settings.write('[drill]\nquery = "SELECT count(*) = 3 FROM bookings"\n')
    with kept(folder):
        write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
        arrived(folder)
        said = handrail(folder, "drill", "--to-time", "newest")
        measured = [re.sub(r"[0-9.]+ s\b", "<seconds>", line) for line in told(said)]
        assert (said.code, measured) == (
            0,
            [
                "drill <id> passed",
                "RTO          <seconds>, from the start until all below was done",
                f"RPO          <seconds>, how far the archive {folder}/archive was behind",
                "passed       restore: the newest content, 3 rows in 1 table; there is no fingerprint of that moment to"
                " compare with",
                "passed       integrity_check: every page and index entry is sound",
                "passed       foreign_key_check: every foreign key leads to a row",
                "not checked  models: env.py names no models to compare with; in env.py set target_metadata ="
                " Base.metadata (or SQLModel.metadata), with all models imported",
                "passed       query: `SELECT count(*) = 3 FROM bookings` gave 1",
                "not checked  command: `drill.command` of the environment names none",
            ],
        )
        assert "the archive" in handrail(folder, "drill", "--list").out
        damage(folder / "archive")
        said = handrail(folder, "drill", "--to-time", "newest")
        assert (said.code, said.error.splitlines()[0]) == (5, "HR550 the drill of the archive <here>/archive failed")
        assert "failed       restore: the newest content cannot be restored from" in said.out
        assert (
            f"warning: the last drill failed, of the archive {folder}/archive: restore: "
            in handrail(folder, "status").out
        )


def test_an_archive_in_a_bucket(tmp_path: Path, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Litestream takes keys and endpoint from the environment, and no file of handrail's holds the key."""
    for name, value in environment(moto.endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    folder = archived(tmp_path, place=f"s3://{moto.bucket()}/{tmp_path.name}/archive")
    with kept(folder):
        write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
        arrived(folder)
        a_second_later()
        moment = now()
        write(folder, "DELETE FROM bookings")
        assert arrived(folder).size
        said = handrail(folder, "backup", "restore", "--to-time", written(moment), "--into", "new.db")
        assert said.code == 0, said
        assert read(folder / "new.db") == [*BOTH, LATE]
    texts = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in text for text in texts)
    (folder / "handrail.toml").write_text(TABLE.format(place="s3://no-such-bucket/archive"))
    said = handrail(folder, "archive", "status")
    assert (said.code, said.error.splitlines()[0]) == (5, "HR569 the archive of development needs a look")
    assert said.error.splitlines()[1].startswith(
        "  why: litestream cannot read s3://no-such-bucket/archive: litestream says: "
    )
    assert "NoSuchBucket" in said.error
