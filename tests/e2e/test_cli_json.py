"""`--json`: every command prints exactly one document with version, command and result or error, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator

from handrail.cli.app import app_for
from handrail.cli.results import RESULTS
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, database_at_b2, make_project

NEXT = Script(
    "c3",
    "b2",
    'op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))',
    'op.drop_table("extra")',
    doc="third",
)
#: Command line, exit code, and whether there is a result (a check that fails has one beside its error). They build on
#: one another.
CALLS: tuple[tuple[str, int, bool], ...] = (
    ("init --yes", 0, True),
    ("init --yes", 2, False),
    ("doctor", 0, True),
    ("current", 0, True),
    ("history --verbose", 0, True),
    ("check", 4, True),
    ("lint", 0, True),
    ("lint nosuch", 2, False),
    ("plan", 0, True),
    ("rehearse", 0, True),
    ("rehearse --on mysql", 2, False),
    ("backup list", 0, True),
    ("upgrade nosuch --yes", 2, False),
    ("upgrade --yes", 0, True),
    ("upgrade --yes", 0, True),
    ("plan", 0, True),
    ("rehearse", 0, True),
    ("check", 0, True),
    ("downgrade -1 --yes", 0, True),
    ("downgrade -9 --yes", 2, False),
    ("stamp c3", 10, False),
    ("stamp c3 --yes", 0, True),
    ("stamp b2 --yes", 0, True),
    ("backup create", 0, True),
    ("backup create --env nosuch", 2, False),
    ("backup list --env nosuch", 2, False),
    ("backup explain", 0, True),
    ("backup explain --env nosuch", 2, False),
    ("backup verify", 0, True),
    ("backup verify nosuch", 5, False),
    ("backup show", 0, True),
    ("backup show nosuch", 5, False),
    ("backup sheet", 0, True),
    ("backup sheet nosuch", 5, False),
    ("backup diff verified latest", 0, True),
    ("backup diff nosuch", 5, False),
    ("backup copy --to elsewhere", 0, True),
    ("backup copy", 2, False),
    ("backup restore latest --into other.db", 0, True),
    ("backup restore latest --in-place", 10, False),
    ("backup restore latest --in-place --yes", 0, True),
    ("backup run-due", 2, False),
    ("backup run-due --env development", 0, True),
    ("backup run-due --schedule cron", 0, True),
    ("backup prune", 0, True),
    ("backup prune --apply", 0, True),
    ("backup prune --env nosuch", 2, False),
    ("backup calendar --every 6h --days 3", 0, True),
    ("backup calendar --by year", 2, False),
    ("backup cost", 0, True),
    ("backup cost --every often", 2, False),
    ("cost", 0, True),
    ("cost --env nosuch", 2, False),
    ("backup pin latest audit --until 2099-01-31", 0, True),
    ("backup pin latest --until tomorrow", 2, False),
    ("backup list", 0, True),
    ("backup show", 0, True),
    ("backup unpin latest", 0, True),
    ("backup unpin latest", 5, False),
    ("backup note latest sold --milestone release", 0, True),
    ("backup note latest", 2, False),
    ("drill latest", 0, True),
    ("drill nosuch", 5, False),
    ("drill --list", 0, True),
    ("drill --schedule systemd", 0, True),
    ("archive status", 2, False),
    ("archive setup --env staging", 2, False),
    ("archive setup", 0, True),
    ("archive status", 5, True),
    ("archive run", 2, False),
    ("recover", 0, True),
    ("recover --keep --restore", 2, False),
    ("status", 0, True),
    ("upgrade --yes", 0, True),
    ("enum list", 0, True),
    ("enum list --env nosuch", 2, False),
    ("enum check", 0, True),
    ("enum check --env nosuch", 2, False),
    ("enum rename bookings.status OLD SCHEDULED", 0, True),
    ("enum rename bookings.status OLD NEW", 2, False),
    ("upgrade --yes", 0, True),
    ("enum convert status --to check", 0, True),
    ("enum convert status --to check", 2, False),
    ("revision --message more", 0, True),
    ("revision --head nosuch", 2, False),
    ("status --env nosuch", 2, False),
    ("current --env nosuch", 2, False),
    ("history --env nosuch", 2, False),
    ("plan nosuch", 2, False),
    ("doctor --env nosuch", 2, False),
    ("cost", 0, True),
    ("cost --env nosuch", 2, False),
    ("deploy --command true --undo true --yes", 0, True),
    ("deploy --env nosuch", 2, False),
    ("backup archive --to nosuch://place", 2, False),
    ("rds list", 2, False),
    ("rds snapshot", 2, False),
    ("rds wait nosuch", 2, False),
    ("rds settings", 2, False),
    ("rds restore nosuch --as other", 2, False),
    ("rds pitr --to newest", 2, False),
    ("rds switch --to other", 2, False),
    ("rds automated", 2, False),
    ("rds export nosuch --to s3://bucket/prefix --role r --key k", 2, False),
    ("lambda package", 0, True),
    ("lambda package --out nosuch/x.zip", 2, False),
    ("lambda plan", 2, False),
    ("lab start --speed 0", 2, False),
    ("lab stop --folder nosuch", 2, False),
    ("lab status --folder nosuch", 2, False),
    ("lab env --folder nosuch", 2, False),
    ("lab log --folder nosuch", 2, False),
    ("lab fault --clear --folder nosuch", 2, False),
    ("lab snapshot --hold 40 --folder nosuch", 2, False),
    ("lab instance prod available --folder nosuch", 2, False),
    ("lab backup prod --folder nosuch", 2, False),
)
#: What is added to the configuration before a call.
SETTINGS = {
    "backup run-due --env development": '\n[schedule]\ndaily = "03:00"\n',
    "archive setup": '\n[environments.development.archive]\ntool = "litestream"\nplace = "archive"\n',
}
#: Their successes need a Litestream or a laboratory that runs: test_archive.py, test_function_commands.py, the tests of
#: `rds` (by support/rds_project.py) and tests/laboratory validate them.
ELSEWHERE = {
    *("archive status", "archive run", "backup archive", "lambda plan"),
    *(name for name in RESULTS if name.startswith(("lab ", "rds "))),
}
METADATA = """import sqlalchemy as sa
STATUS = sa.Enum("SCHEDULED", "ATTENDED", name="status", native_enum=False, length=50)
target_metadata = sa.MetaData()
sa.Table(
    "bookings",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("topic", sa.String(100), nullable=False),
    sa.Column("status", STATUS, nullable=False, server_default="SCHEDULED"),
)
sa.Table("extra", target_metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
COMMAND = typer.main.get_command(app_for())
SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    env = SYNC_ENV.replace("target_metadata = None", METADATA)
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, NEXT), env=env)
    database_at_b2(folder / "local.db")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ENV", raising=False)
    return folder


def document(capsys: pytest.CaptureFixture[str], words: str, code: int) -> dict[str, Any]:
    """The whole of stdout, which must be one document. In this process, as forty of its own would cost a minute."""
    try:
        exited = COMMAND([*words.split(), "--json"], standalone_mode=False) or 0
    except SystemExit as ended:
        exited = ended.code
    done = capsys.readouterr()
    assert exited == code, f"{words} exited {exited}\n{done.out}{done.err}"
    read: dict[str, Any] = json.loads(done.out)
    return read


def schema_of(command: str) -> dict[str, Any]:
    """The published schema, and here no key may be missing in it: a reader may ignore new keys, we may not."""
    text = (SCHEMAS / f"{command.replace(' ', '-')}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text, object_hook=closed)
    Draft202012Validator.check_schema(schema)
    return schema


def closed(node: dict[str, Any]) -> dict[str, Any]:
    is_object = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    return {**node, "additionalProperties": False} if is_object else node


def test_every_call_prints_one_document_of_its_schema(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One test, as the calls build on one another and the suite runs in random order."""
    for words, code, has_result in CALLS:
        if words in SETTINGS:
            with (project / "handrail.toml").open("a") as configuration:
                configuration.write(SETTINGS[words])
        read = document(capsys, words, code)
        assert f"{words} ".startswith(f"{read['command']} ")
        Draft202012Validator(schema_of(read["command"])).validate(read)
        assert [key for key in read if key not in ("version", "command")] == [
            *(["result"] if has_result else []),
            *(["error"] if code else []),
        ], words
        if code:
            assert (read["error"]["exit_code"], bool(read["error"]["message"])) == (code, True)


def test_a_schema_refuses_what_is_not_documented() -> None:
    document = {"version": 1, "command": "stamp", "result": {"before": [], "current": ["b2"]}}
    validator = Draft202012Validator(schema_of("stamp"))
    validator.validate(document)
    for wrong in (
        {**document, "version": 2},
        {**document, "result": {"before": []}},
        {**document, "result": {"before": [], "current": ["b2"], "new": 1}},
        {**document, "result": {"before": [], "current": "b2"}},
        {"version": 1, "command": "stamp"},
    ):
        assert not validator.is_valid(wrong)


def test_every_command_has_a_success_and_an_error_above() -> None:
    names = {
        f"{name} {below}".rstrip()
        for name, command in COMMAND.commands.items()  # type: ignore[attr-defined]
        for below in getattr(command, "commands", {"": None})
    }
    assert names == set(RESULTS)
    for name in names:
        codes = {bool(code) for words, code, _ in CALLS if f"{words} ".startswith(f"{name} ")}
        assert codes == ({True} if name in ELSEWHERE else {True, False}), name
