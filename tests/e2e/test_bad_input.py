"""Bad input through the command line: the whole message and exit code, no traceback, nothing lost."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from support.calling import NEXT, ROWS, SECRET, at_b2, handrail, rows
from support.projects import BOOKINGS, Script, make_project, write_script

NAMES = ('with "quotes"', "with ' quote", "two words", "한글표", "UPPER", "select", "a.b", "100% sure", "semi;colon")


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


def _a_circle_of_links(folder: Path) -> None:
    make_project(folder)
    (folder / "local.db").symlink_to(folder / "local.db")


def _a_folder(folder: Path) -> None:
    make_project(folder)
    (folder / "local.db").mkdir()


def _cut_database(folder: Path) -> None:
    at_b2(folder, NEXT)
    file = folder / "local.db"
    file.write_bytes(file.read_bytes()[:-4096])


def _no_folder(folder: Path) -> None:
    make_project(folder, url="sqlite:///no/such/folder/local.db")


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
  next: if it is damaged, move it away (with local.db-wal, where there is one), and bring the last proven backup\
 back: mv <here>/local.db <here>/local.db.damaged; handrail backup restore verified --in-place""",
    ),
    (
        _a_circle_of_links,
        "upgrade --yes",
        7,
        """HR701 no connection to sqlite:///<here>/local.db
  why: OperationalError: unable to open database file. The database was brought back: the transaction was rolled\
 back; no row written by others was lost.
  next: check that the URL names a file, and that it and its folder can be read and written""",
    ),
    (
        _a_folder,
        "upgrade --yes",
        2,
        """HR230 no connection to sqlite:///<here>/local.db
  why: OperationalError: unable to open database file
  next: check that the URL names a file, and that it and its folder can be read and written""",
    ),
    (
        _cut_database,
        "upgrade --yes",
        2,
        """HR230 the database sqlite:///<here>/local.db cannot be read
  why: DatabaseError: database disk image is malformed
  next: if it is damaged, move it away (with local.db-wal, where there is one), and bring the last proven backup\
 back: mv <here>/local.db <here>/local.db.damaged; handrail backup restore verified --in-place""",
    ),
    (
        _no_folder,
        "upgrade --yes",
        2,
        """HR230 there is no database at sqlite:///<here>/no/such/folder/local.db
  why: the folder <here>/no/such/folder does not exist
  next: make the folder, or correct the URL""",
    ),
    (
        _unknown_key,
        "status",
        2,
        """HR210 `environments.development.backups` in <here>/handrail.toml is not a setting
  why: the settings there are: url, backup, rehearse, restore, lint, store, copies, failed_copy, bandwidth,\
 store_price, compression, recipients, recipients_file, identity, identity_note, lock_timeout, lock_retry,\
 lock_wait, statement_timeout, prove_budget, maintenance, rehearse_server, health, retention, backup_max_age,\
 drill, schedule, archive, rds, deploy
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
  next: --into NAME for a new database, --in-place, or --table NAME alone""",
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
    before = file.read_bytes() if file.is_file() else None
    said = handrail(tmp_path, *words.split())
    assert said.code == code
    assert re.fullmatch(".*".join(map(re.escape, message.split("…"))), said.error), said.error
    assert (file.read_bytes() if file.is_file() else None) == before
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


def test_an_empty_history_and_an_empty_database(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=())
    said = handrail(tmp_path, "upgrade", "--yes")
    assert (said.code, said.out, said.err) == (0, "nothing to do: the database is at base\n", "")
    write_script(tmp_path, BOOKINGS)
    (tmp_path / "local.db").touch()
    assert handrail(tmp_path, "upgrade", "--yes").code == 0
    assert rows(tmp_path) == ROWS
