"""`handrail lint` through the command line: what it reads, what it repairs, and whatever else may lie in a folder."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.calling import handrail
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, make_project

UNSAFE = "op.add_column('bookings', sa.Column('seats', sa.Integer(), default=1, nullable=False))"
NEXT = Script("c3", "b2", UNSAFE, "op.drop_column('bookings', 'seats')")
REPAIRED = UNSAFE.replace("nullable", "server_default='1', nullable")
HEAD = "from alembic import op\nimport sqlalchemy as sa\nrevision = 'x9'\ndown_revision = 'b2'\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT))


def script_of(project: Path) -> Path:
    (path,) = (project / "migrations" / "versions").glob("c3_*.py")
    return path


def rules(project: Path, *words: str) -> list[tuple[str, str, int]]:
    said = handrail(project, "lint", *words, "--format", "json")
    return [(one["rule"], Path(one["file"]).name, one["line"]) for one in json.loads(said.out)["findings"]]


def test_a_finding_is_shown_repaired_and_gone(project: Path) -> None:
    path = script_of(project)
    before = path.read_bytes()
    said = handrail(project, "lint")
    assert said.code == 3
    assert "error HR-DD101 bookings.seats is NOT NULL without a server_default" in said.out
    assert f"        {UNSAFE}\n        ^\n  why: " in said.out
    assert said.out.rstrip().endswith("3 scripts: 1 error")
    assert said.error.startswith("HR300 1 finding of level error or worse")

    said = handrail(project, "lint", "--diff")
    assert (said.code, path.read_bytes()) == (3, before)
    assert f"-    {UNSAFE}" in said.out
    assert f"+    {REPAIRED}" in said.out

    said = handrail(project, "lint", "--fix")
    assert (said.code, said.out.rstrip()) == (0, "3 scripts: nothing found")
    assert path.read_text() == before.decode().replace(UNSAFE, REPAIRED)
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []
    assert handrail(project, "lint", "--diff").code == 0
    assert handrail(project, "upgrade", "--yes").code == 0


def test_line_ends_marks_and_modes_are_kept(project: Path) -> None:
    path = script_of(project)
    dos = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(dos)
    path.chmod(0o640)
    link = path.with_name("zz_link.py")
    path.rename(project / "real.py")
    path.symlink_to(project / "real.py")
    assert not link.exists()
    assert handrail(project, "lint", "--fix").code == 0
    assert path.is_symlink()
    assert (project / "real.py").read_bytes() == dos.replace(UNSAFE.encode(), REPAIRED.encode())
    assert (project / "real.py").stat().st_mode & 0o777 == 0o640


def test_what_can_be_chosen(project: Path) -> None:
    found = [("HR-DD101", script_of(project).name)]
    assert [one[:2] for one in rules(project, "c3")] == found
    assert rules(project, "b2") == []
    assert [one[:2] for one in rules(project, os.path.relpath(script_of(project), project))] == found
    assert [one[:2] for one in rules(project, "migrations/versions")] == found
    said = handrail(project, "lint", "nosuch")
    assert (said.code, said.error) == (2, "HR200 no script has the revision nosuch\n  next: handrail history")
    said = handrail(project, "lint", "nosuch.py")
    assert (said.code, said.error) == (
        2,
        "HR200 there is no nosuch.py\n  next: name files or folders with migration scripts",
    )
    (project / "handrail.toml").write_text('lint = {since = "c3"}\n')
    assert rules(project) == []
    (project / "handrail.toml").write_text('lint = {since = "nosuch"}\n')
    assert handrail(project, "lint").error.startswith("HR200 no script has the revision nosuch\n  why: `lint.since`")


def test_a_folder_that_is_not_there_is_no_revision(project: Path) -> None:
    said = handrail(project, "lint", "nosuch/versions")
    assert said.error == "HR200 there is no nosuch/versions\n  next: name files or folders with migration scripts"


def test_a_reader_that_goes_away_changes_nothing(project: Path) -> None:
    """`handrail lint | head -1`: the exit code is what it would be, and nothing is said of the pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "handrail.cli.main", "lint"]
    done = subprocess.run(words, cwd=project, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr.splitlines()[0]) == (3, "HR300 1 finding of level error or worse")


def test_only_what_changed_since_a_commit(project: Path) -> None:
    def git(*words: str) -> None:
        name = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run([str(shutil.which("git")), *name, *words], cwd=project, check=True, capture_output=True)

    path = script_of(project)
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "all")
    assert rules(project, "--base", "main") == []
    git("checkout", "-q", "-b", "work")
    path.write_text(path.read_text() + "\n")
    assert [one[1] for one in rules(project, "--base", "main")] == [path.name]
    git("commit", "-qam", "one")
    (path.parent / "new.py").write_text(f"{HEAD}\ndef upgrade():\n    {UNSAFE}\n")
    assert {one[1] for one in rules(project, "--base", "main")} == {path.name, "new.py"}
    said = handrail(project, "lint", "--base", "nosuch")
    assert (said.code, said.error.splitlines()[0]) == (2, "HR200 git cannot tell what changed since nosuch")


def test_pending_scripts_are_judged_by_the_database(project: Path) -> None:
    def judged() -> tuple[int, list[tuple[str, str]]]:
        said = handrail(project, "lint", "--pending", "--json")
        return said.code, [(one["rule"], one["severity"]) for one in json.loads(said.out)["result"]["findings"]]

    assert handrail(project, "upgrade", "b2", "--yes").code == 0
    assert judged() == (3, [("HR-DD101", "error")])
    with closing(sqlite3.connect(project / "local.db")) as connection, connection:
        connection.execute("DELETE FROM bookings")
    assert judged() == (0, [("HR-DD101", "info")])
    for words in (("--rehearse", "--fix"), ("--rehearse", "--diff"), ("--pending", "--base", "main"), ("--live", "c3")):
        said = handrail(project, "lint", *words)
        assert (said.code, said.error) == (
            2,
            "HR200 --pending, --live and --rehearse go without files and --base, --rehearse also without --fix and "
            "--diff",
        )


def test_pending_scripts_are_repaired_by_what_the_database_says(tmp_path: Path) -> None:
    unsafe = UNSAFE.replace(" default=1,", "")
    old = Script("b2", "a1", unsafe.replace("seats", "floor"), "op.drop_column('bookings', 'floor')")
    new = Script("c3", "b2", unsafe, "op.drop_column('bookings', 'seats')")
    project = make_project(tmp_path, revisions=(BOOKINGS, old, new))
    assert handrail(project, "upgrade", "a1", "--yes").code == 0
    with closing(sqlite3.connect(project / "local.db")) as connection, connection:
        connection.execute("ALTER TABLE bookings ADD COLUMN floor INTEGER")
        connection.execute("UPDATE alembic_version SET version_num = 'b2'")
    before = {path: path.read_bytes() for path in script_of(project).parent.glob("*.py")}
    said = handrail(project, "lint", "--live", "--diff")
    assert (said.code, said.error) == (3, "HR300 1 finding can be repaired\n  next: handrail lint --live --fix")
    assert said.out.count("--- /dev/null") == 2
    assert {path: path.read_bytes() for path in script_of(project).parent.glob("*.py")} == before
    said = handrail(project, "lint", "--live", "--fix")
    assert (said.code, said.out.rstrip()) == (0, "3 scripts: nothing found")
    assert said.err.splitlines() == [
        "repaired migrations/versions/c3_script.py:10 HR-DD101 bookings.seats is NOT NULL without a server_default",
        "wrote migrations/versions/2e31858b2957_fill_bookings_seats.py",
        "wrote migrations/versions/2b22c91c51dd_require_bookings_seats.py",
        'to write: migrations/versions/2e31858b2957_fill_bookings_seats.py: VALUES["bookings.seats"]: the SQL of its '
        "value in the rows that are there, unless there are none",
    ]
    (applied,) = script_of(project).parent.glob("b2_*.py")
    assert applied.read_bytes() == before[applied]
    assert handrail(project, "lint", "--live", "--fix").err == ""


HIDDEN = """
verb = "".join(["DEL", "ETE FROM "])
for table in [name for name in sa.inspect(op.get_bind()).get_table_names() if name.startswith("book")]:
    op.execute(verb + table)
"""


def test_a_rehearsal_shows_what_no_text_does(tmp_path: Path) -> None:
    marked = f"{HIDDEN}# handrail: changes bookings\n"
    project = make_project(tmp_path, revisions=(BOOKINGS, STATUS, Script("c3", "b2", marked)))
    assert handrail(project, "upgrade", "b2", "--yes").code == 0
    static = json.loads(handrail(project, "lint", "--live", "--format", "json").out)["findings"]
    assert "HR-DL104" not in {one["rule"] for one in static}
    assert {one["source"] for one in static} == {"static"}
    seen = json.loads(handrail(project, "lint", "--rehearse", "--format", "json").out)["findings"]
    assert [(one["source"], one["line"]) for one in seen if one["rule"] == "HR-DL104"] == [("rehearsed", 12)]


def test_explain_and_formats(project: Path) -> None:
    said = handrail(project, "lint", "--explain", "hr-dd101")
    assert said.out.startswith("HR-DD101 NOT NULL column without server_default\n")
    assert handrail(project, "lint", "--explain", "HR-XX999").error.startswith("HR200 there is no rule HR-XX999\n")
    for form in ("sarif", "gitlab", "json"):
        assert json.loads(handrail(project, "lint", "--format", form).out)
    assert handrail(project, "lint", "--format", "github").out.startswith("::error file=migrations/versions/c3_")
    assert handrail(project, "lint", "--format", "markdown").out.startswith("| | rule |")


MODELS = """import sqlalchemy as sa
target_metadata = sa.MetaData()
sa.Table(
    "bookings",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("topic", sa.String(100), nullable=False),
    sa.Column("status", sa.String(50), nullable=False, server_default="SCHEDULED"),
    sa.Column("seats", sa.Integer, default=3, nullable=False),
)
"""


def test_a_revision_is_written_repaired_and_reviewed(tmp_path: Path) -> None:
    project = make_project(
        tmp_path, revisions=(BOOKINGS, STATUS), env=f"{MODELS}{SYNC_ENV}".replace("= None", "= target_metadata")
    )
    said = handrail(project, "revision", "-m", "add seats", "--autogenerate")
    assert (said.code, said.error) == (
        2,
        "HR220 Target database is not up to date.\n"
        "  next: handrail upgrade, then the same command again: what is compared is the database",
    )
    assert handrail(project, "upgrade", "--yes").code == 0
    said = handrail(project, "revision", "-m", "add seats", "--autogenerate", "--rev-id", "c3")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "wrote migrations/versions/c3_add_seats.py"
    assert lines[1:] == ["server_default from the model: bookings.seats = '3'", "1 script: nothing found"]
    assert "server_default='3', nullable=False" in script_of(project).read_text()
    assert handrail(project, "upgrade", "--yes").code == 0
    said = handrail(project, "revision", "-m", "nothing", "--autogenerate", "--rev-id", "d4")
    assert (said.code, said.err) == (0, "models and database agree: the script changes nothing\n")
    assert handrail(project, "upgrade", "--yes").code == 0
    with closing(sqlite3.connect(project / "local.db")) as connection:
        assert connection.execute("SELECT seats FROM bookings").fetchall() == [(3,), (3,)]


def test_a_value_that_nobody_gave_is_not_guessed(tmp_path: Path) -> None:
    models = MODELS.replace("default=3, ", "")
    env = f"{models}{SYNC_ENV}".replace("= None", "= target_metadata")
    project = make_project(tmp_path, revisions=(BOOKINGS, STATUS), env=env)
    assert handrail(project, "upgrade", "--yes").code == 0
    said = handrail(project, "revision", "-m", "add seats", "--autogenerate", "--rev-id", "c3", "--json")
    result = json.loads(said.out)["result"]
    names = ["c3_add_seats.py", "2e31858b2957_fill_bookings_seats.py", "2b22c91c51dd_require_bookings_seats.py"]
    scripts = [f"migrations/versions/{name}" for name in names]
    assert (said.code, result["scripts"]) == (0, scripts)
    assert [one["rule"] for one in result["repaired"]] == ["HR-DD101"]
    assert (result["defaults"], result["findings"]) == ([], [])
    assert result["to_write"] == [
        f'{scripts[1]}: VALUES["bookings.seats"]: the SQL of its value in the rows that are there, unless there are none'
    ]
    assert "sa.Integer(), nullable=True" in script_of(project).read_text()
    assert "server_default" not in script_of(project).read_text()
    said = handrail(project, "upgrade", "--yes")
    why = (
        "  why: ValueError: bookings.seats is NULL in 2 rows and no value for it was chosen; "
        'write its SQL into VALUES["bookings.seats"] in the script of revision 2e31858b2957'
    )
    assert (said.code, said.error.splitlines()[1]) == (6, why)
    assert handrail(project, "lint", "--fix").out == "5 scripts: nothing found\n"
    fill = project / scripts[1]
    fill.write_text(fill.read_text().replace('"bookings.seats": None', '"bookings.seats": "id * 2"'))
    assert handrail(project, "upgrade", "--yes").code == 0
    with closing(sqlite3.connect(project / "local.db")) as connection:
        assert connection.execute("SELECT seats FROM bookings").fetchall() == [(2,), (4,)]


DEEP = f"{HEAD}\ndef upgrade():\n    x = {'(' * 150}1{')' * 150}\n    y = {'[' * 5000}\n"
STRANGE = {
    "no Python": b"def upgrade(:\n",
    "no UTF-8": HEAD.encode() + b"x = '\xff\xfe'\n",
    "another encoding": b"# -*- coding: latin-1 -*-\n" + HEAD.encode() + b"x = '\xe9'\ndef upgrade():\n    pass\n",
    "an encoding that is none": b"# -*- coding: nosuch -*-\nx = '\xff'\n",
    "nothing": b"",
    "NUL": b"x = 1\0\n",
    "tabs": HEAD.encode() + b"def upgrade():\n\tif True:\n\t\tpass\n        \tx = 1\n",
    "five MB": b"x = 1\n" * 900_000,
    "deep": DEEP.encode(),
    "newer Python": HEAD.encode() + b"type X[T] = list[T]\ndef upgrade():\n    x = t'{1}'\n",
    "SQL that is none": HEAD.encode() + b"def upgrade():\n    op.execute('SELECT ''; $a$ \"')\n",
    "SQL of others": HEAD.encode() + b"def upgrade():\n    op.execute('ALTER TABLE `a` MODIFY b INT; GO')\n",
    "carriage returns": (HEAD + "def upgrade():\n    pass\n").replace("\n", "\r").encode(),
    "form feeds": HEAD.encode() + b"\x0c\ndef upgrade():\n    pass\x0c\n",
    "surrogates": HEAD.encode() + b"x = '\\ud800'\ndef upgrade():\n    op.drop_table('\\ud800')\n",
}


@pytest.mark.parametrize("name", STRANGE)
def test_whatever_is_in_a_script_is_a_finding_or_nothing(project: Path, name: str) -> None:
    path = project / "migrations" / "versions" / "strange.py"
    path.write_bytes(STRANGE[name])
    for words in (("--fix",), ("--format", "sarif"), (str(path),)):
        said = handrail(project, "lint", *words)
        assert said.code in (0, 3), said.err
        assert "Traceback" not in said.err
        assert path.read_bytes() == STRANGE[name]


def test_histories_that_are_none_and_places_that_are_no_files(project: Path) -> None:
    versions = project / "migrations" / "versions"
    (versions / "again.py").write_text(script_of(project).read_text())
    (versions / "alone.py").write_text("def upgrade():\n    pass\n")
    (versions / "lost.py").write_text("revision = 'y1'\ndown_revision = 'nosuch'\n\ndef upgrade():\n    pass\n")
    (versions / "one.py").write_text("revision = 'z1'\ndown_revision = 'z2'\n\ndef upgrade():\n    pass\n")
    (versions / "two.py").write_text("revision = 'z2'\ndown_revision = 'z1'\n\ndef upgrade():\n    pass\n")
    (versions / "loop.py").symlink_to(versions / "loop.py")
    (versions / "folder.py").mkdir()
    said = handrail(project, "lint", "--format", "json")
    messages = {one["message"] for one in json.loads(said.out)["findings"]}
    assert messages >= {
        "2 scripts have the revision id c3",
        "the script has no revision id",
        "y1 follows nosuch, which no script has",
        "z1 follows itself, by way of others",
        "not analysable: it is no file",
    }
    assert (said.code, "Traceback" in said.err) == (3, False)
