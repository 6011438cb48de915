"""Encrypted backups through the command line: made, proven, restored and upgraded with, on either database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from support.calling import NEXT, ROWS, Said, assert_postgres_at_b2, at_b2, postgres_at_b2, rows
from support.calling import handrail as call
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
KEY, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
PUBLIC = str(KEY.to_public())
NONE = """\
HR540 {about}no identity is at hand to open encrypted backups
  why: none is given by --identity, HANDRAIL_IDENTITY or `identity` of the environment
  next: name the file with the private key: --identity FILE"""
WRONG = f"""\
HR541 {{about}}the identity of <here>/other.key does not open {{what}}
  why: it belongs to none of the recipients: {PUBLIC}
  next: name the file with the right private key: --identity FILE"""
UNPROVEN = "an encrypted backup could not be proven here: "


def handrail(folder: Path, *words: str, **variables: str) -> Said:
    """Neither what it says nor what it keeps holds a private key, nor does the store hold a row."""
    said = call(folder, *words, before=None, **variables)
    files = {path: path.read_bytes() for path in (folder / ".handrail").rglob("*") if path.is_file()}
    for text in (said.out.encode(), said.err.encode(), *files.values()):
        for key in (KEY, OTHER):
            assert str(key).encode() not in text
    for path, text in files.items():
        assert "파이썬".encode() not in text, path
    return said


def with_keys(folder: Path, more: str = "") -> Path:
    (folder / "handrail.toml").write_text(
        f'default = "production"\n[environments.production]\nrestore = "auto"\nrecipients = ["{PUBLIC}"]\n{more}'
    )
    for name, key in (("right.key", KEY), ("other.key", OTHER)):
        (folder / name).write_text(f"{key}\n")
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return with_keys(at_b2(tmp_path, NEXT))


def stored(folder: Path) -> list[str]:
    store = folder / ".handrail" / "store"
    return sorted(path.name for path in store.rglob("*") if path.is_file())


def test_without_the_key_nothing_is_dumped_and_the_way_out_is_said(project: Path) -> None:
    said = handrail(project, "backup", "create")
    other = "; or make one that is not proven: handrail backup create --no-verify"
    assert (said.code, said.out, said.error) == (5, "", NONE.format(about=UNPROVEN) + other)
    said = handrail(project, "backup", "create", "--identity", "other.key")
    wrong = WRONG.format(about=UNPROVEN, what="what this environment encrypts")
    assert (said.code, said.out, said.error) == (5, "", wrong + other)
    for command in (["upgrade", "--yes"], ["rehearse"]):
        said = handrail(project, *command)
        assert (said.code, said.out, said.error) == (5, "", NONE.format(about=UNPROVEN))
    assert stored(project) == []
    assert rows(project) == ROWS


@pytest.mark.story
@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_one_that_is_only_encrypted_is_proven_where_the_key_is(project: Path, compression: str) -> None:
    with_keys(project, f'compression = "{compression}"')
    said = handrail(project, "backup", "create", "--no-verify")
    made = said.out.split(",")[0]
    where = f"where the key is: handrail backup verify {made} --identity FILE"
    assert (said.code, said.out) == (0, f"{made}, encrypted, not proven to restore; {where}\n")
    [backup] = json.loads(handrail(project, "backup", "list", "--json").out)["result"]["backups"]
    assert (backup["verified_at"], backup["encryption"]) == (None, "age")
    assert handrail(project, "backup", "verify").error == NONE.format(about="")
    wrong = handrail(project, "backup", "verify", "--identity", "other.key")
    assert (wrong.code, wrong.error) == (5, WRONG.format(about="", what=f"backup {made}"))
    said = handrail(project, "backup", "verify", HANDRAIL_IDENTITY="right.key")
    assert (said.code, said.out) == (0, f"{made} restores, and what it restores is what the source was\n")
    [backup] = json.loads(handrail(project, "backup", "list", "--json").out)["result"]["backups"]
    assert backup["verified_at"] is not None


def test_a_manifest_names_the_recipients_and_no_digest(project: Path) -> None:
    assert handrail(project, "backup", "create", "--identity", "right.key").code == 0
    [path] = (project / ".handrail" / "store").rglob("manifest.json")
    document = json.loads(path.read_text())
    assert document["version"] == 2
    artifact = document["backup"]["artifact"]
    assert (artifact["encryption"], artifact["recipients"]) == ("age", [PUBLIC])
    assert [table["digests"] for table in document["backup"]["fingerprint"]["tables"]] == [[]]
    assert document["backup"]["fingerprint"]["content"] == ""
    digests = json.loads(pyrage.decrypt(document["backup"]["sealed_digests"].encode(), [KEY]))
    assert digests["tables"][0]["digests"]
    shown = handrail(project, "backup", "show").out.splitlines()
    assert f"encrypted  to {PUBLIC}" in shown
    assert [line.split() for line in shown[-2:]] == [["table", "rows", "digest"], ["bookings", "2", "encrypted"]]


def test_restored_beside_and_in_place_only_with_the_key(project: Path) -> None:
    assert handrail(project, "backup", "create", "--identity", "right.key").code == 0
    for where in (["--into", "new.db"], ["--in-place", "--yes"]):
        assert handrail(project, "backup", "restore", "latest", *where).error == NONE.format(about="")
    assert not (project / "new.db").exists()
    assert rows(project) == ROWS
    assert handrail(project, "backup", "restore", "latest", "--into", "new.db", "--identity", "right.key").code == 0
    with closing(sqlite3.connect(project / "new.db")) as connection:
        assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
    with closing(sqlite3.connect(project / "local.db")) as connection, connection:
        connection.execute("DELETE FROM bookings")
    back = handrail(project, "backup", "restore", "latest", "--in-place", "--yes", "--identity", "right.key")
    assert back.code == 0
    assert rows(project) == ROWS


@pytest.mark.story
def test_an_upgrade_that_fails_is_brought_back_from_an_encrypted_backup(project: Path) -> None:
    with_keys(project, 'identity = "right.key"\nhealth = "false"\n')
    script = project / "migrations" / "versions" / "c3_script.py"
    script.write_text(script.read_text().replace("    pass", '    raise RuntimeError("no way back")'))
    said = handrail(project, "upgrade", "--yes")
    assert said.code == 7, said.err
    assert "was restored" in said.error
    assert rows(project) == ROWS


def test_doctor_says_whether_the_key_is_here(project: Path) -> None:
    def line(*, key: str | None = None) -> list[str]:
        with_keys(project, f'identity = "{key}"' if key else "")
        (project / "right.key").chmod(0o640)
        said = handrail(project, "doctor").out.replace(str(project), "<here>").splitlines()
        begin = next(n for n, text in enumerate(said) if " encryption " in text)
        return said[begin : next(n for n, text in enumerate(said) if " last backup " in text)]

    assert line(key="right.key") == [
        "ok    encryption       to 1 recipient, opened by the identity <here>/right.key",
        "note  identity         others may read the identity <here>/right.key (mode 0640)",
        "      next: chmod 600 <here>/right.key",
    ]
    assert line() == [
        "FAIL  encryption       no identity is at hand to open encrypted backups: none is given by --identity,"
        " HANDRAIL_IDENTITY or `identity` of the environment",
        "      next: name the file with the private key: --identity FILE",
    ]


@pytest.mark.story
def test_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_at_b2(tmp_path, postgres_server, NEXT)
    with_keys(tmp_path)
    try:
        assert handrail(tmp_path, "upgrade", "--yes").error == NONE.format(about=UNPROVEN)
        assert_postgres_at_b2(postgres_server, address)
        said = handrail(tmp_path, "backup", "create", "--identity", "right.key")
        assert (said.code, said.out.split(", ", 1)[1]) == (0, "encrypted, proven to restore\n")
        said = handrail(tmp_path, "backup", "verify", "--identity", "right.key")
        assert said.code == 0
        new = f"{address.database}_new"
        assert handrail(tmp_path, "backup", "restore", "latest", "--into", new, "--identity", "right.key").code == 0
        with postgres_server.connect(postgres_server.address(new)) as connection:
            assert connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall() == ROWS
        said = handrail(tmp_path, "upgrade", "--yes", "--identity", "right.key")
        assert said.code == 0, said.err
    finally:
        postgres_server.drop(address.database)


def test_without_the_library_what_to_install_is_said(project: Path) -> None:
    (project / "pyrage.py").write_text("raise ImportError('hidden')\n")
    said = handrail(project, "backup", "create", "--identity", "right.key", PYTHONPATH=str(project))
    assert (said.code, said.error) == (
        2,
        "HR242 encrypted backups need pyrage, which is not installed\n  next: pip install 'handrail[age]'",
    )
    assert handrail(project, "backup", "list", PYTHONPATH=str(project)).code == 0


@pytest.mark.story
def test_a_backup_with_its_sheet_is_understood_drilled_and_told_apart_only_with_the_key(project: Path) -> None:
    for _ in range(2):
        assert handrail(project, "backup", "create", "--identity", "right.key").code == 0
        with closing(sqlite3.connect(project / "local.db")) as connection, connection:
            connection.execute("UPDATE bookings SET topic = 'other' WHERE id = 1")
    said = handrail(project, "drill")
    assert (said.code, said.error) == (5, NONE.format(about=""))
    assert handrail(project, "drill", "--identity", "right.key").code == 0
    backups = json.loads(handrail(project, "backup", "list", "--json").out)["result"]["backups"]
    new, old = (backup["id"] for backup in backups)
    told = handrail(project, "backup", "diff", old, new).out.splitlines()[1:]
    assert told == [
        "nothing differs",
        f"not compared: values: the digests of {old} and {new} are encrypted (--identity FILE), so rows are compared by"
        " number only",
    ]
    told = handrail(project, "backup", "diff", old, new, "--identity", "right.key").out.splitlines()[1:]
    assert len(told) == 1
    assert "bookings" in told[0]
    with_keys(project, "[environments.production.retention]\nlast = 1\n")
    decisions = json.loads(handrail(project, "backup", "prune", "--json").out)["result"]["decisions"]
    assert [decision["id"] for decision in decisions] == [new, old]
    assert "not understood" not in json.dumps(decisions)
