"""Bad input through the command line: the whole message and exit code, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project, write_script

SECRET = "s3cr3t-열쇠"
ROWS = [(1, "파이썬 학습"), (2, "API 개발")]
NEXT = Script("c3", "b2", 'op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))', doc="third")
NAMES = ('with "quotes"', "with ' quote", "two words", "한글표", "UPPER", "select", "a.b")


@dataclass(frozen=True, slots=True)
class Said:
    """How one call of handrail ended; the folder of the test reads as <here>, the last paragraph is the error."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        lines = self.err.splitlines()
        begin = max((n for n, line in enumerate(lines) if line.startswith("HR")), default=len(lines))
        return "\n".join(lines[begin:])


def handrail(folder: Path, *words: str) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "handrail.cli.main", *words],
        cwd=folder,
        env={**{key: value for key, value in os.environ.items() if key != "ENV"}, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert quote(SECRET) not in done.stdout + done.stderr
    return Said(done.returncode, done.stdout, done.stderr.replace(str(folder), "<here>"))


def at_b2(folder: Path, *more: Script) -> Path:
    """A project whose database is at b2, with `more` scripts after it."""
    make_project(folder, revisions=(BOOKINGS, STATUS, *more))
    database_at_b2(folder / "local.db")
    return folder


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "local.db")) as connection:
        return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()


def _nothing(folder: Path) -> None:
    """No Alembic configuration at all."""


def _broken_ini(folder: Path) -> None:
    make_project(folder)
    (folder / "alembic.ini").write_text("[alembic\nscript_location = migrations\n")


def _env_imports_nowhere(folder: Path) -> None:
    make_project(folder, env="import nowhere_module\n")


def _script_imports_nowhere(folder: Path) -> None:
    at_b2(folder, replace(NEXT, head="import nowhere_module"))


def _two_heads(folder: Path) -> None:
    at_b2(folder, NEXT, replace(NEXT, id="d4"))


def _ambiguous(folder: Path) -> None:
    at_b2(folder, replace(NEXT, id="c3aa11"), replace(NEXT, id="c3aa22", down="c3aa11"))


def _stamped_unknown(folder: Path) -> None:
    at_b2(folder)
    with closing(sqlite3.connect(folder / "local.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'zz9'")


def _unreachable(folder: Path) -> None:
    make_project(folder, url=f"postgresql+psycopg://me:{quote(SECRET)}@127.0.0.1:1/db")


def _mysql(folder: Path) -> None:
    make_project(folder, url=f"mysql+pymysql://me:{quote(SECRET)}@localhost/db")


def _not_sqlite(folder: Path) -> None:
    make_project(folder)
    (folder / "local.db").write_bytes(b"this is not a database at all, whatever its name says\n" * 100)


def _unknown_key(folder: Path) -> None:
    make_project(folder)
    (folder / "handrail.toml").write_text("[environments.development]\nbackups = 'off'\n")


def _broken_toml(folder: Path) -> None:
    make_project(folder)
    (folder / "handrail.toml").write_text("[environments.development\n")


def _unset_variable(folder: Path) -> None:
    make_project(folder)
    (folder / "handrail.toml").write_text("[environments.development]\nurl = 'env:HANDRAIL_TEST_UNSET'\n")


def _hanging(folder: Path) -> None:
    at_b2(folder, replace(NEXT, head="import time", upgrade="time.sleep(600)"))
    (folder / "handrail.toml").write_text("[environments.development]\nstatement_timeout = '1s'\n")


def _exiting(folder: Path) -> None:
    at_b2(folder, replace(NEXT, head="import sys", upgrade="sys.exit(3)"))


#: "…" stands for words of Alembic, Python or libpq, which change with their versions.
Case = tuple[Callable[[Path], object], str, int, str]
CASES: tuple[Case, ...] = (
    (
        _nothing,
        "status",
        2,
        """HR220 there is no Alembic configuration in <here>
  why: neither alembic.ini nor [tool.alembic] in pyproject.toml
  next: run handrail in the project's folder, or start one: alembic init alembic""",
    ),
    (
        _broken_ini,
        "status",
        2,
        """HR220 the Alembic project cannot be loaded
  why: MissingSectionHeaderError: …
  next: alembic history and alembic current must work first""",
    ),
    (
        _env_imports_nowhere,
        "status",
        2,
        """HR220 migrations/env.py failed
  why: ModuleNotFoundError: No module named 'nowhere_module' (migrations/env.py:1)
  next: install the missing package, or set prepend_sys_path = . in alembic.ini""",
    ),
    (
        _script_imports_nowhere,
        "upgrade --yes",
        2,
        """HR220 migrations/versions/c3_script.py failed
  why: ModuleNotFoundError: No module named 'nowhere_module' (migrations/versions/c3_script.py:4)
  next: install the missing package, or set prepend_sys_path = . in alembic.ini""",
    ),
    (
        _two_heads,
        "upgrade --yes",
        2,
        """HR221 Multiple head revisions are present for given argument 'head'; …
  next: merge them (alembic merge heads), or name the target: heads, or one revision""",
    ),
    (
        at_b2,
        "upgrade nosuch --yes",
        2,
        """HR220 Can't locate revision identified by 'nosuch'
  next: handrail history shows the revisions there are""",
    ),
    (
        _ambiguous,
        "upgrade c3aa --yes",
        2,
        """HR220 'c3aa' is the beginning of 2 revisions
  why: it may mean c3aa11 (third), c3aa22 (third)
  next: name the one that is meant with more letters""",
    ),
    (
        _stamped_unknown,
        "upgrade --yes",
        2,
        """HR220 the database is stamped with zz9, which no script of this project has
  why: the database is newer than this code, belongs to another project, or the script was deleted
  next: check out the code that has this revision, or correct the stamp: handrail stamp <revision>""",
    ),
    (
        _unreachable,
        "upgrade --yes",
        2,
        """HR230 no connection to postgresql://me@127.0.0.1:1/db
  why: OperationalError: connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused…
  next: check that the server runs and that the URL is right""",
    ),
    (
        _mysql,
        "upgrade --yes",
        2,
        """HR231 handrail does not know the engine 'mysql'
  next: handrail guards SQLite and PostgreSQL""",
    ),
    (
        _not_sqlite,
        "upgrade --yes",
        2,
        """HR230 the database sqlite:///<here>/local.db cannot be read
  why: DatabaseError: file is not a database
  next: handrail doctor shows what is missing""",
    ),
    (
        _unknown_key,
        "status",
        2,
        """HR210 `environments.development.backups` in <here>/handrail.toml is not a setting
  why: the settings there are: url, backup, rehearse, restore, lint, store, compression, lock_timeout, lock_retry,\
 lock_wait, statement_timeout, prove_budget, maintenance, rehearse_server, health
  next: did you mean `backup`?""",
    ),
    (
        _broken_toml,
        "status",
        2,
        """HR210 <here>/handrail.toml is not valid TOML
  why: …
  next: correct that line""",
    ),
    (
        _unset_variable,
        "status",
        2,
        """HR210 the environment variable HANDRAIL_TEST_UNSET is not set
  why: `url = "env:HANDRAIL_TEST_UNSET"` of the environment development takes the database URL from it
  next: export HANDRAIL_TEST_UNSET=postgresql://user@host/database, or choose another environment with --env""",
    ),
    (
        _hanging,
        "upgrade --yes",
        6,
        """HR601 the rehearsal failed: the script of revision c3 did nothing for 1 s
  why: it was ended, and its transaction rolled back
  next: find out what it waits for, or raise statement_timeout; the live database is untouched""",
    ),
    (
        _exiting,
        "upgrade --yes",
        6,
        """HR601 the rehearsal failed: the script of revision c3 called sys.exit at migrations/versions/c3_script.py:10
  why: sys.exit(3)
  next: correct the script and run the command again; the live database is untouched""",
    ),
    (
        at_b2,
        "backup show 1999",
        5,
        """HR501 there is no backup yet
  next: make one: handrail backup create""",
    ),
    (
        at_b2,
        "backup restore latest",
        2,
        """HR200 where to restore to is not clear
  next: --into NAME for a new database, or --in-place""",
    ),
    (
        at_b2,
        "stamp a1",
        10,
        """HR1000 not done: stamp sqlite:///<here>/local.db with a1 (it is at b2)?
  why: there is no terminal to ask
  next: add --yes""",
    ),
)


@pytest.mark.parametrize(
    ("make", "words", "code", "message"),
    CASES,
    ids=[f"{make.__name__.strip('_')}-{words.replace(' ', '-')}" for make, words, _, _ in CASES],
)
def test_the_whole_message(tmp_path: Path, make: Callable[[Path], object], words: str, code: int, message: str) -> None:
    make(tmp_path)
    file = tmp_path / "local.db"
    before = file.read_bytes() if file.exists() else None
    said = handrail(tmp_path, *words.split())
    assert said.code == code
    assert re.fullmatch(".*".join(map(re.escape, message.split("…"))), said.error), said.error
    assert (file.read_bytes() if file.exists() else None) == before
    assert said.out == ""


def test_what_a_script_prints_does_not_mix_with_the_document(tmp_path: Path) -> None:
    at_b2(tmp_path, replace(NEXT, upgrade=f"print('{{not json')\n    {NEXT.upgrade}".replace("\n    ", "\n")))
    said = handrail(tmp_path, "upgrade", "--yes", "--json")
    assert (said.code, json.loads(said.out)["result"]["target"]) == (0, ["c3"])
    assert "{not json" not in said.out


def test_names_with_quotes_spaces_and_korean(tmp_path: Path) -> None:
    def each(text: str) -> str:
        return "\n".join(text.format(name=repr(name)) for name in NAMES)

    create = "op.create_table({name}, sa.Column('id', sa.Integer, primary_key=True), sa.Column('값', sa.Text))"
    fill = "op.bulk_insert(sa.table({name}, sa.column('값')), [{{'값': '봄'}}])"
    add = "sa.Column('new one', sa.Integer, server_default='7', nullable=False)"
    with_batch = "with op.batch_alter_table({name}) as batch:\n    batch."
    first = Script("a1", None, each(f"{create}\n{fill}"))
    second = Script("b2", "a1", each(f"{with_batch}add_column({add})"), each(f"{with_batch}drop_column('new one')"))
    make_project(tmp_path, revisions=(first, second))
    assert handrail(tmp_path, "upgrade", "a1", "--yes").code == 0
    said = handrail(tmp_path, "upgrade", "--yes", "--json")
    assert said.code == 0
    result = json.loads(said.out)["result"]
    assert result["rehearsal"]["downgrade_proven"] is True
    assert {one["table"]["name"]: one["classification"] for one in result["proof"]["tables"]} == dict.fromkeys(
        NAMES, "changed as declared"
    )
    with closing(sqlite3.connect(tmp_path / "local.db")) as connection:
        for name in NAMES:
            quoted = name.replace('"', '""')
            assert connection.execute(f'SELECT * FROM "{quoted}"').fetchall() == [(1, "봄", 7)]


def test_a_symlinked_database_stays_a_symlink_even_when_it_is_restored(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=(BOOKINGS, STATUS))
    real = tmp_path / "elsewhere" / "data.db"
    real.parent.mkdir()
    database_at_b2(real)
    (tmp_path / "local.db").symlink_to(real)
    write_script(tmp_path, NEXT)
    (tmp_path / "handrail.toml").write_text(
        "[environments.development]\nhealth = {command = 'false', timeout = '0.1s'}\n"
    )
    said = handrail(tmp_path, "upgrade", "--yes")
    assert (said.code, "was restored" in said.error) == (7, True)
    assert (tmp_path / "local.db").is_symlink()
    assert (tmp_path / "local.db").resolve() == real
    assert rows(tmp_path) == ROWS


@pytest.mark.parametrize("harm", ["truncated", "flipped", "missing", "manifest"])
def test_a_harmed_backup_is_never_called_verified(tmp_path: Path, harm: str) -> None:
    at_b2(tmp_path)
    assert handrail(tmp_path, "backup", "create", "--no-verify").code == 0
    artifact = next((tmp_path / ".handrail" / "store").rglob("artifact*"))
    data = artifact.read_bytes()
    if harm == "truncated":
        artifact.write_bytes(data[:-7])
    elif harm == "flipped":
        artifact.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    elif harm == "missing":
        artifact.unlink()
    else:
        manifest = artifact.with_name("manifest.json")
        manifest.write_bytes(manifest.read_bytes()[:-40])
    said = handrail(tmp_path, "backup", "verify")
    assert said.code == 5
    assert said.error.startswith("HR5")
    assert "  next: " in said.error
    if harm not in ("flipped", "manifest"):
        return
    listed = json.loads(handrail(tmp_path, "backup", "list", "--json").out)["result"]
    assert [backup["verified_at"] for backup in listed["backups"]] == ([] if harm == "manifest" else [None])
    assert len(listed["unreadable"]) == (harm == "manifest")


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    at_b2(tmp_path, NEXT)
    (tmp_path / "handrail.toml").write_text("[environments.production]\nstore = 'occupied'\n")
    (tmp_path / "occupied").write_text("a file where the store's folder should be")
    said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
    assert said.code == 5
    assert "occupied" in said.error
    assert rows(tmp_path) == ROWS
    assert handrail(tmp_path, "status", "--env", "production").code in (0, 5)


def test_an_empty_history_and_an_empty_database(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=())
    said = handrail(tmp_path, "upgrade", "--yes")
    assert (said.code, said.out, said.err) == (0, "nothing to do: the database is at base\n", "")
    write_script(tmp_path, BOOKINGS)
    (tmp_path / "local.db").touch()
    assert handrail(tmp_path, "upgrade", "--yes").code == 0
    assert rows(tmp_path) == ROWS


def test_a_wrong_password_is_not_printed(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    where = f"{address.host}:{address.port}/{address.database}"
    make_project(tmp_path, url=f"postgresql+psycopg://{address.user}:{quote(SECRET)}@{where}")
    assert handrail(tmp_path, "doctor").code == 5
    said = handrail(tmp_path, "upgrade", "--yes")
    assert said.error.startswith(f"HR230 no connection to postgresql://{address.user}@{where}\n")
    assert "password authentication failed" in said.error
    postgres_server.drop(address.database)


def test_a_role_without_rights_loses_nothing(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    role = f"weak_{address.database}"
    postgres_server.execute(
        address,
        [
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('b2')",
            "CREATE TABLE bookings (id int PRIMARY KEY, topic text, status text)",
            "INSERT INTO bookings VALUES (1, '파이썬 학습')",
            f"CREATE ROLE {role} LOGIN PASSWORD 'weak'",
            f"GRANT SELECT ON alembic_version TO {role}",
        ],
    )
    make_project(
        tmp_path,
        revisions=(BOOKINGS, STATUS, NEXT),
        url=f"postgresql+psycopg://{role}:weak@{address.host}:{address.port}/{address.database}",
    )
    said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
    assert said.code in (2, 5)
    assert "permission denied" in said.error
    assert "  next: " in said.error
    with postgres_server.connect(address) as connection:
        assert connection.execute("SELECT * FROM bookings").fetchall() == [(1, "파이썬 학습", None)]
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("b2",)]
    postgres_server.drop(address.database)
    postgres_server.execute(postgres_server.cluster.address, [f"DROP ROLE {role}"])
