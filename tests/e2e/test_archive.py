"""The continuous archive through the command line, with a real Litestream: moments restored, drills, a bucket."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from handrail.backups.moments import written
from support.archived import (
    TABLE,
    a_second_later,
    archived,
    arrived,
    damage,
    kept,
    now,
    read,
    told,
    write,
)
from support.calling import handrail
from support.objects import SECRET, Server, environment

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"
BOTH = [(1, "파이썬 학습", "SCHEDULED"), (2, "API 개발", "SCHEDULED")]
LATE = (3, "late", "OPEN")


@pytest.mark.story
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


@pytest.mark.story
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


@pytest.mark.story
def test_a_drill_of_the_archive(tmp_path: Path) -> None:
    folder = archived(tmp_path)
    with (folder / "handrail.toml").open("a") as settings:
        settings.write('[drill]\nquery = "SELECT count(*) = 3 FROM bookings"\n')
    with kept(folder, "--json"):
        write(folder, "INSERT INTO bookings VALUES (3, 'late', 'OPEN')")
        arrived(folder)
        status = json.loads(handrail(folder, "archive", "status", "--json").out)
        Draft202012Validator(json.loads((SCHEMAS / "archive-status.json").read_text())).validate(status)
        assert (status["result"]["faults"], status["result"]["state"]["behind"]) == ([], 0)
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
    ended = json.loads((folder / "run.out").read_text())
    Draft202012Validator(json.loads((SCHEMAS / "archive-run.json").read_text())).validate(ended)
    assert ended == {"version": 1, "command": "archive run", "result": {"tool": "litestream"}}


@pytest.mark.story
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
