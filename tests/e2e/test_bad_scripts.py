"""Scripts that misbehave, through the command line: brought back or refused, and no row lost, on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from support.calling import NEXT, ROWS, Said, assert_postgres_at_b2, at_b2, handrail, postgres_at_b2, rows
from support.postgres import PostgresServer
from support.projects import Script

ONLY_NEWEST_SERVER = True

BROUGHT_BACK = " The database was brought back: the transaction was rolled back; no row written by others was lost."
OWN = 'engine = sa.create_engine(op.get_context().config.get_main_option("sqlalchemy.url"))\n'
OWN_WRITE = replace(NEXT, upgrade=f'{OWN}with engine.begin() as own:\n    own.execute(sa.text("DELETE FROM bookings"))')
#: What a script does after it deleted every row; where it fails, and why.
SCRIPTS = {
    "own engine": (
        OWN_WRITE.upgrade,
        "failed at {file}:12",
        "the script writes through a connection of its own: what it writes there is outside the revision's transaction and"
        " could be neither proven nor undone",
    ),
    "COMMIT": (
        'op.execute("COMMIT")',
        "failed at {file}:11",
        "the script says COMMIT by itself: handrail holds the revision in one transaction, which proves it and can undo it",
    ),
    "BEGIN": (
        'op.execute("BEGIN")',
        "failed at {file}:11",
        "the script says BEGIN by itself: handrail holds the revision in one transaction, which proves it and can undo it",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "raised KeyboardInterrupt at {file}:11", "KeyboardInterrupt"),
    "sys.exit": ("import sys\nsys.exit(3)", "called sys.exit at {file}:12", "sys.exit(3)"),
    "os._exit": (
        "import os\nprint('going')\nos._exit(0)",
        "ended the process that runs Alembic",
        "exit status 0; its last words: going",
    ),
    "killed": (
        "import os\nos.kill(os.getpid(), 9)",
        "ended the process that runs Alembic",
        "killed by signal 9; it printed nothing",
    ),
}


def harmful(name: str) -> tuple[Script, str, str]:
    code, what, why = SCRIPTS[name]
    deleting = "" if name == "own engine" else 'op.execute("DELETE FROM bookings")\n'
    file = "migrations/versions/c3_script.py"
    return replace(NEXT, upgrade=deleting + code), f"the script of revision c3 {what.format(file=file)}", why


def unrehearsed(folder: Path) -> None:
    (folder / "handrail.toml").write_text(
        "[environments.development]\nrehearse = 'off'\nlint = 'off'\nstatement_timeout = '2s'\n"
    )


def document_of(said: Said, code: int) -> dict[str, object]:
    """The error of the one document on stdout."""
    error: dict[str, object] = json.loads(said.out)["error"]
    assert (said.code, error["exit_code"]) == (code, code)
    return error


def assert_brought_back(said: Said, what: str, why: str) -> None:
    error = document_of(said, 7)
    assert (error["code"], error["message"]) == ("HR701", what)
    assert error["why"] == f"{why}.{BROUGHT_BACK}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_on_live_sqlite(tmp_path: Path, name: str) -> None:
    script, what, why = harmful(name)
    at_b2(tmp_path, script)
    unrehearsed(tmp_path)
    before = (tmp_path / "local.db").read_bytes()
    assert_brought_back(handrail(tmp_path, "upgrade", "--yes", "--json"), what, why)
    assert (tmp_path / "local.db").read_bytes() == before


@pytest.mark.parametrize("name", ["own engine", "COMMIT", "killed"])
def test_on_live_postgres(tmp_path: Path, postgres_server: PostgresServer, name: str) -> None:
    script, what, why = harmful(name)
    address = postgres_at_b2(tmp_path, postgres_server, script)
    unrehearsed(tmp_path)
    assert_brought_back(handrail(tmp_path, "upgrade", "--yes", "--json"), what, why)
    assert_postgres_at_b2(postgres_server, address)
    postgres_server.drop(address.database)


def test_a_script_that_hangs_in_the_server(tmp_path: Path, postgres_server: PostgresServer) -> None:
    hanging = replace(NEXT, upgrade='op.execute("DELETE FROM bookings")\nop.execute("SELECT pg_sleep(600)")')
    address = postgres_at_b2(tmp_path, postgres_server, hanging)
    unrehearsed(tmp_path)
    assert_brought_back(
        handrail(tmp_path, "upgrade", "--yes", "--json"),
        "the script of revision c3 failed at migrations/versions/c3_script.py:11",
        "QueryCanceled: canceling statement due to statement timeout",
    )
    assert_postgres_at_b2(postgres_server, address)
    postgres_server.drop(address.database)


def test_a_script_that_loops_in_python(tmp_path: Path) -> None:
    at_b2(tmp_path, replace(NEXT, upgrade='op.execute("DELETE FROM bookings")\nwhile True:\n    pass'))
    unrehearsed(tmp_path)
    assert_brought_back(
        handrail(tmp_path, "upgrade", "--yes", "--json"),
        "the script of revision c3 did nothing for 2 s",
        "it was ended, and its transaction rolled back",
    )
    assert rows(tmp_path) == ROWS


def test_in_the_rehearsal_an_engine_of_its_own_is_led_to_the_copy_and_may_not_write(tmp_path: Path) -> None:
    at_b2(tmp_path, OWN_WRITE)
    before = (tmp_path / "local.db").read_bytes()
    error = document_of(handrail(tmp_path, "upgrade", "--yes", "--json"), 6)
    assert error == {
        "code": "HR601",
        "exit_code": 6,
        "message": "the rehearsal failed: the script of revision c3 failed at migrations/versions/c3_script.py:12",
        "why": SCRIPTS["own engine"][2],
        "hint": "write through op.get_bind(); a connection of its own may only read; the live database is untouched",
    }
    assert (tmp_path / "local.db").read_bytes() == before


def test_a_connection_of_its_own_that_reads_and_is_never_closed(tmp_path: Path) -> None:
    reading = f'{OWN}own = engine.connect()\nassert len(own.execute(sa.text("SELECT id FROM bookings")).all()) == 2\n'
    at_b2(tmp_path, replace(NEXT, upgrade=f"global own\n{reading}{NEXT.upgrade}"))
    assert handrail(tmp_path, "upgrade", "--yes").code == 0
    assert rows(tmp_path) == ROWS
