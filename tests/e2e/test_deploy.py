"""`handrail deploy`: the production checklist in order, and undone in order, with the sample application served."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseAddress
from handrail.laboratory.client import REGION
from handrail.snapshots.snapshot import Tier, read_label
from support.deploying import Server, releases, script, serving
from support.laboratory import DATABASE, PASSWORD, USER, TestLaboratory
from support.postgres import PostgresServer
from support.rds_project import RdsProject
from support.story import FIRST, SECOND, THIRD, Story, on_postgres, on_sqlite

ONLY_NEWEST_SERVER = True

#: The new release asks for what the migration brings, or for what it does not.
ASKS = """

async def health(session: Session) -> dict[str, str]:
    try:
        await session.execute(text("SELECT {column} FROM bookings"))
    except SQLAlchemyError as error:
        raise HTTPException(503, "a column is missing") from error
    return {{"status": "ok"}}
"""


def pending_third(story: Story) -> Story:
    """At the second revision, two rows, the third revision pending."""
    story.fill()
    story.repaired()
    environment = {**os.environ, **story.environment}
    words = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(words, cwd=story.folder, env=environment, capture_output=True, check=True)
    story.put("add_reminder.py")
    return story


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pending_third(on_sqlite(tmp_path_factory.mktemp("template"))).folder


@pytest.fixture
def on_file(tmp_path: Path, template: Path) -> Story:
    return on_sqlite(tmp_path, Path(shutil.copytree(template, tmp_path / "puddingcamp")))


@pytest.fixture
def on_server(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Story]:
    address = postgres_server.clone()
    yield pending_third(on_postgres(tmp_path, address))
    postgres_server.drop(address.database)


def steps(story: Story) -> list[str]:
    """The steps that the last run has begun, as its journal says."""
    journal = max(story.journals(), key=lambda path: path.stem)
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    return [event["step"] for event in events if event["kind"] == "step_started"]


def well(server: Server) -> dict[str, Any]:
    return {"is_well": True, "detail": f"{server.health} answered 200"}


def brings_both(story: Story) -> None:
    releases(story, ASKS.format(column="reminder"))
    with serving(story) as server:
        done = story.result(*server.options("--smoke", "grep -q new serving/name", "--watch", "0.5s"))["result"]
        assert server.serves() == "new"
    assert (done["upgrade"]["target"], story.revision()) == ([THIRD], THIRD)
    assert done["upgrade"]["health"] == well(server)
    assert done["watched"]["is_well"]
    assert [(one["step"], one["detail"]) for one in done["commands"]] == [
        ("deploy", f"`./deploy.sh` exited 0: deploying new to {story.environment['ENV']}"),
        ("restart", "`./restart.sh` exited 0: restarting new"),
        ("smoke", "`grep -q new serving/name` exited 0"),
    ]
    code = ["deploy", "apply", "prove", "restart", "health", "smoke", "watch"]
    assert steps(story) == ["backup", "restore copy", "verify", "rehearse", *code]
    assert "deploying new" in Path(done["output"]).read_text()


def is_brought_back(story: Story) -> None:
    """The migration succeeds, and the new code is not well with it: both go back, and the application is well."""
    releases(story, ASKS.format(column="reminders"))
    rows = story.topics()
    config = story.folder / "pyproject.toml"
    health = 'rehearse = "required"\nhealth = {command = "true", timeout = "6s"}'
    config.write_text(config.read_text().replace('rehearse = "required"', health))
    with serving(story) as server:
        error = story.result(*server.options(), exits=7)["error"]
        assert server.serves() == "old"
    journal = max(story.journals(), key=lambda path: path.stem)
    kept = story.folder / ".handrail" / "deploys" / story.environment["ENV"] / f"{journal.stem}.log"
    assert error == {
        "code": "HR702",
        "exit_code": 7,
        "message": "the application is not well after the upgrade",
        "why": (
            f"{server.health} answered 503. The database was brought back: the downgrade that the rehearsal had proven"
            " was run; no write was lost. The code was taken back: `./previous.sh` exited 0: deploying old to"
            f" {story.environment['ENV']}; `./restart.sh` exited 0: restarting old; {server.health} answered 200."
            f" The commands' output is in {kept}."
        ),
        "hint": "look at the application's log; the upgrade itself had succeeded",
    }
    assert (story.revision(), story.topics()) == (SECOND, rows)
    assert story.result("status")["result"]["interrupted_runs"] == []
    code = ["deploy", "apply", "prove", "restart", "health", "undo code", "undo restart"]
    assert [step for step in steps(story) if step in code] == code


def test_code_and_database_on_sqlite(on_file: Story) -> None:
    brings_both(on_file)


@pytest.mark.story
def test_code_and_database_on_postgresql(on_server: Story) -> None:
    brings_both(on_server)


@pytest.mark.story
def test_both_are_brought_back_on_sqlite(on_file: Story) -> None:
    is_brought_back(on_file)


@pytest.mark.story
def test_both_are_brought_back_on_postgresql(on_server: Story) -> None:
    is_brought_back(on_server)


@pytest.mark.story
def test_the_production_checklist_and_then_an_accident(tmp_path: Path, laboratory: TestLaboratory) -> None:
    """G5.3, G4.4: a deployment on RDS is brought back; then rows are deleted by mistake, and a moment before it is
    restored and takes the place of the live instance. Every row is compared."""
    name = "deploy-prod"
    endpoint = laboratory.create(name, BackupRetentionPeriod=7)["Endpoint"]
    address = DatabaseAddress(
        "postgresql", DATABASE, host=endpoint["Address"], port=endpoint["Port"], user=USER, password=PASSWORD
    )
    staging = on_postgres(tmp_path, address)
    url = staging.environment["STAGING_DATABASE_URL"]
    story = replace(staging, environment={"ENV": "production", "DATABASE_URL": url, **laboratory.environ})
    config = story.folder / "pyproject.toml"
    table = f'[tool.handrail.environments.production]\nrds = {{instance = "{name}", region = "{REGION}"}}'
    config.write_text(config.read_text().replace("[tool.handrail.environments.production]", table))
    is_brought_back(pending_third(story))
    taken = laboratory.client("rds").describe_db_snapshots(DBInstanceIdentifier=name, SnapshotType="manual")
    labels = [read_label({tag["Key"]: tag["Value"] for tag in one["TagList"]}) for one in taken["DBSnapshots"]]
    assert [(one.revisions, one.target, one.tier, one.environment) for one in labels if one] == [
        ((SECOND,), (THIRD,), Tier.PRE_MIGRATION, "production")
    ]

    shop, good = RdsProject(laboratory, name, story.folder), PostgresDatabase(address).fingerprint()
    moment = shop.passed()
    story.query("DELETE FROM bookings WHERE id = 2")
    assert PostgresDatabase(address).fingerprint() != good
    shop.reached(moment)
    found = story.result("rds", "pitr", "--to", moment.isoformat(), "--as", "deploy-pitr")["result"]
    assert {"table": "bookings", "rows": 2, "live_rows": 1} in found["tables"]
    story.result("rds", "switch", "--to", "deploy-pitr", "--confirm", name)
    port = laboratory.instance(name, "available")["Endpoint"]["Port"]
    # Sequences jump ahead when a server recovers; the rows are what they were.
    assert PostgresDatabase(replace(address, port=port)).fingerprint().tables == good.tables


# Without a server: what the commands did is in files.


def commands(story: Story, deploy: str = "echo new > code", undo: str = "echo old > code") -> list[str]:
    for name, text in (("deploy.sh", deploy), ("previous.sh", undo), ("restart.sh", "cat code > running")):
        script(story.folder, name, f"#!/bin/sh\n{text}\n")
    (story.folder / "code").write_text("old\n")
    (story.folder / "running").write_text("old\n")
    return ["deploy", "--command", "./deploy.sh", "--undo", "./previous.sh", "--restart", "./restart.sh", "--yes"]


def state(story: Story) -> tuple[str, str, str]:
    code, running = ((story.folder / name).read_text().strip() for name in ("code", "running"))
    return code, running, story.revision()


OLD, NEW = ("old", "old", SECOND), ("new", "new", THIRD)


def failed(story: Story, words: list[str], exits: int = 7) -> tuple[str, str, str, str]:
    error = story.result(*words, exits=exits)["error"]
    why = re.sub(r" The commands' output is in [^ ]+\.log\.", "", error["why"])
    return error["code"], error["message"], why, error["hint"]


BACK = "The code was taken back: `./previous.sh` exited 0; `./restart.sh` exited 0."


@pytest.mark.story
def test_a_deploy_command_that_fails(on_file: Story) -> None:
    words = commands(on_file, "echo new > code; echo 'no space left' >&2; exit 4")
    assert failed(on_file, words) == (
        "HR702",
        "the deploy command failed",
        f"`./deploy.sh` exited 4: no space left. The database was not touched. {BACK}",
        "look at its output, repair it, then deploy again",
    )
    assert state(on_file) == OLD


def test_a_deploy_command_that_hangs(on_file: Story) -> None:
    words = [*commands(on_file, "echo new > code; sleep 300"), "--timeout", "0.5s"]
    ended = "`./deploy.sh` did not end within 0.5 s and was ended, with all that it had started"
    assert failed(on_file, words)[2] == f"{ended}. The database was not touched. {BACK}"
    assert state(on_file) == OLD


def test_a_deploy_command_that_brings_other_scripts(on_file: Story) -> None:
    edit = "sed -i 's/nullable=True/nullable=False/' alembic/versions/third.py"
    assert failed(on_file, commands(on_file, f"echo new > code; {edit}")) == (
        "HR702",
        "the deploy command changed what is to be applied",
        f"the script of {THIRD} is another one: that was neither reviewed nor rehearsed. The database was not touched."
        f" {BACK}",
        "run handrail from a checkout that holds the new scripts before the deploy command begins",
    )
    assert state(on_file) == OLD


def test_a_deploy_command_that_brings_a_pending_script(on_file: Story) -> None:
    (on_file.folder / "alembic" / "versions" / "third.py").rename(on_file.folder / "third.py")
    words = commands(on_file, "echo new > code; mv third.py alembic/versions/")
    assert failed(on_file, words)[1:3] == (
        "the deploy command changed what is to be applied",
        f"{THIRD} is pending now: that was neither reviewed nor rehearsed. The database was not touched. {BACK}",
    )
    assert state(on_file) == OLD


@pytest.mark.story
@pytest.mark.parametrize("is_pending", [True, False])
def test_a_deploy_command_that_upgrades_by_itself(on_file: Story, is_pending: bool) -> None:
    python = f"'{sys.executable}' -m alembic"
    words = commands(on_file, f"echo new > code; {python} upgrade head")
    if is_pending:
        code, message, why, _ = failed(on_file, words)
        assert (code, message) == ("HR702", f"the deploy command moved the database from {SECOND} to {THIRD}")
        assert why == (
            "nothing that was checked here guarded it. The database was brought back: the downgrade that the"
            f" rehearsal had proven was run; no write was lost. {BACK}"
        )
        assert state(on_file) == OLD
        return
    script(on_file.folder, "deploy.sh", f"#!/bin/sh\n{python} downgrade {FIRST}\n")
    (on_file.folder / "alembic" / "versions" / "third.py").unlink()
    code, message, why, hint = failed(on_file, words, exits=8)
    assert (code, message) == ("HR735", f"the deploy command moved the database from {SECOND} to {FIRST}")
    assert why == (
        f"nothing that was checked here guarded it; the database is at {FIRST}, and this run has no backup."
        " The new code stays with the database: the two have to fit each other."
    )
    assert hint == "handrail recover (it says what is to be done about the code then)"
    assert on_file.result("upgrade", exits=11)["error"]["hint"] == "handrail recover"
    assert on_file.result("recover", "--keep")["result"]["settled"][0]["to_type"] == ["./restart.sh"]


def test_code_alone(on_file: Story) -> None:
    (on_file.folder / "alembic" / "versions" / "third.py").unlink()
    done = on_file.result(*commands(on_file))["result"]
    assert (done["upgrade"]["revisions"], done["upgrade"]["backup"]) == ([], None)
    assert steps(on_file) == ["deploy", "restart"]
    assert state(on_file) == ("new", "new", SECOND)


@pytest.mark.story
def test_a_smoke_test_that_fails(on_file: Story) -> None:
    words = [*commands(on_file), "--smoke", "sh -c 'echo no bookings; grep -q old running'"]
    code, message, why, _ = failed(on_file, words)
    assert (code, message) == ("HR702", "the smoke command failed")
    assert why.startswith(
        "`sh -c 'echo no bookings; grep -q old running'` exited 1: no bookings. The database was brought back"
    )
    assert state(on_file) == OLD


@pytest.mark.story
def test_without_an_undo_the_code_stays_and_a_person_is_called(on_file: Story) -> None:
    words = [word for word in commands(on_file) if word not in ("--undo", "./previous.sh")]
    code, message, why, hint = failed(on_file, [*words, "--smoke", "false"], exits=8)
    assert (code, message) == ("HR811", "the smoke command failed")
    assert why == (
        "`false` exited 1. The database was brought back: the downgrade that the rehearsal had proven was run; no write"
        " was lost. The new code stays: no command is configured that takes it back (--undo)."
    )
    assert hint == "look at the output, then type: (what puts the previous code back); then ./restart.sh"
    assert state(on_file) == ("new", "new", SECOND)
    assert on_file.result("status")["result"]["interrupted_runs"] == []


@pytest.mark.story
def test_an_undo_that_fails(on_file: Story) -> None:
    words = commands(on_file, undo="echo 'no old release'; exit 1")
    code, _, why, hint = failed(on_file, [*words, "--smoke", "false"], exits=8)
    assert code == "HR811"
    assert why.endswith("The code was not taken back, or not wholly: `./previous.sh` exited 1: no old release.")
    assert hint == "look at the output, then type: ./previous.sh; then ./restart.sh"
    assert state(on_file) == ("new", "new", SECOND)


@pytest.mark.story
def test_a_database_that_stays_keeps_its_code(on_file: Story) -> None:
    """No downgrade is proven and the policy forbids the restore: nobody parts code and database."""
    third = on_file.folder / "alembic" / "versions" / "third.py"
    third.write_text(third.read_text().partition("def downgrade")[0] + "def downgrade() -> None:\n    pass\n")
    config = on_file.folder / "pyproject.toml"
    config.write_text(config.read_text().replace('restore = "auto"', 'restore = "never"', 1))
    code, message, why, hint = failed(on_file, [*commands(on_file), "--smoke", "false"], exits=8)
    assert (code, message) == ("HR801", "the smoke command failed")
    assert why.endswith("The new code stays with the database: the two have to fit each other.")
    assert hint == "handrail recover (it says what is to be done about the code then)"
    assert state(on_file) == NEW
    (settled,) = on_file.result("recover", "--restore")["result"]["settled"]
    assert (settled["result"], settled["to_type"]) == ("restored", ["./previous.sh", "./restart.sh"])
    assert settled["detail"].endswith("; the new code was deployed, at least in part, and does not fit")
    assert on_file.revision() == SECOND


@pytest.mark.story
@pytest.mark.parametrize(
    ("dying", "result", "detail", "to_type"),
    [
        (
            "deploy.sh",
            "never applied",
            "it was interrupted before it touched the database; the new code was deployed, at least in part, and does"
            " not fit",
            ["./previous.sh", "./restart.sh"],
        ),
        (
            "restart.sh",
            "done",
            f"all its revisions are committed and were proven; the database is at {THIRD}; the new code was deployed;"
            " restart was not done, smoke was not done",
            ["./restart.sh", "true"],
        ),
    ],
)
def test_killed_within_a_command(on_file: Story, dying: str, result: str, detail: str, to_type: list[str]) -> None:
    """`kill -9` in the middle: recover tells what was done and what is to be typed."""
    words = [*commands(on_file), "--smoke", "true"]
    script(on_file.folder, dying, "#!/bin/sh\necho $$ > pid\necho dying\nexec sleep 300\n")
    with on_file.start(*words) as process:
        assert process.stderr is not None
        while "dying" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    os.kill(int((on_file.folder / "pid").read_text()), signal.SIGKILL)  # the command outlives a killed run
    assert on_file.result(*words, exits=11)["error"]["hint"] == "handrail recover"
    (settled,) = on_file.result("recover")["result"]["settled"]
    assert (settled["result"], settled["detail"], settled["to_type"]) == (result, detail, to_type)
    told = on_file.run("recover")[0]
    assert told == "no run is open: nothing to recover\n"
    assert on_file.revision() == (SECOND if result == "never applied" else THIRD)


@pytest.mark.parametrize(
    ("number", "became"), [(signal.SIGINT, "cancelled"), (signal.SIGTERM, "ended by SIGTERM")], ids=["INT", "TERM"]
)
def test_cancelled_within_the_deploy_command(on_file: Story, number: signal.Signals, became: str) -> None:
    words = commands(on_file, "echo new > code; echo working; sleep 300")
    with on_file.start(*words, "--json") as process:
        assert process.stderr is not None
        while "working" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        out, _ = process.communicate()
    error = json.loads(out)["error"]
    assert (process.returncode, error["message"]) == (7, f"the run was {became}")
    assert state(on_file) == OLD


@pytest.mark.story
def test_further_signals_while_the_code_is_taken_back(on_file: Story) -> None:
    """What runners send that give a job up: SIGINT, and SIGTERM some seconds later."""
    words = commands(on_file, "echo new > code; echo working; sleep 300", "echo undoing; sleep 1; echo old > code")
    with on_file.start(*words, "--json") as process:
        assert process.stderr is not None
        for said, number in (("working", signal.SIGINT), ("undoing", signal.SIGTERM)):
            while not process.stderr.readline().endswith(f" {said}\n"):
                assert process.poll() is None
            process.send_signal(number)
        out, err = process.communicate()
    error = json.loads(out)["error"]
    assert (process.returncode, error["code"], error["message"]) == (7, "HR702", "the run was cancelled")
    assert "! SIGTERM was heard: what is under way is brought to its end first" in err
    assert state(on_file) == OLD


PLAN = f"""\
code, and upgrade {SECOND} -> {THIRD} on sqlite:///<here>/local.db
step      what is done, and how it is undone
lint      1 pending, nothing that stops the run
lock      one handrail run per database at a time
          undo: release the lock
backup    optional in development
          undo: delete the partial backup
verify    restored into a scratch database, fingerprint equal to the source's
          undo: drop the scratch database
rehearse  on the restored copy, forwards and back where it can
          undo: drop the scratch database
deploy    `./deploy.sh --key postgresql://me:***@db`; the pending scripts must stay as they were rehearsed
          undo: take the code back
          then: restart the application again
apply     all revisions in one transaction that holds the write lock
          undo: roll the transaction back
          else: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
prove     exact for every table, inside the transaction
          undo: roll the transaction back
          else: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
restart   `./restart.sh`
          undo: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
health    the application must answer in time
          undo: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
smoke     `./smoke.sh` must exit 0
          undo: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
watch     it must stay well for 90 s
          undo: downgrade, as proven by the rehearsal
          else: restore this run's backup
          then: take the code back
          then: restart the application again
"""
TABLE = """
[tool.handrail.deploy]
command = "./deploy.sh --key postgresql://me:hush@db"
undo = "./previous.sh"
restart = "./restart.sh"
smoke = "./smoke.sh"
watch = "1.5min"
"""


def test_a_dry_run_shows_the_plan(on_file: Story) -> None:
    config = on_file.folder / "pyproject.toml"
    config.write_text(config.read_text() + TABLE)
    out, _ = on_file.run("deploy", "--dry-run", "--health-url", "http://127.0.0.1:9/health")
    assert out.replace(str(on_file.folder), "<here>") == PLAN
    kinds = [step["kind"] for step in on_file.result("deploy", "--dry-run", "--watch", "0s")["result"]["steps"]]
    assert kinds == ["lint", "lock", "backup", "verify", "rehearse", "deploy", "apply", "prove", "restart", "smoke"]
    assert not on_file.journals() or "deploy" not in steps(on_file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no deploy command is given: handrail does not know how your code is deployed"),
        (("--command", " "), "the deployment cannot be read: `command` is empty"),
        (
            ("--command", "x", "--watch", "soon"),
            'the deployment cannot be read: a duration is written like "100ms", "5s", "2min" or "1h"',
        ),
        (("--command", "x", "--watch", "5s"), "there is nothing to watch: watching asks for health again and again"),
        (
            ("--command", "x", "--health-url", "ftp://x"),
            "--health-url cannot be used: `url` begins with http:// or https://",
        ),
        (("--command", "x", FIRST), f"{FIRST} lies the other way: a deployment goes forward"),
    ],
)
def test_what_cannot_be_read(on_file: Story, words: tuple[str, ...], message: str) -> None:
    error = on_file.result("deploy", *words, exits=2)["error"]
    assert f"{error['message']}: {error['why']}" == message


@pytest.mark.parametrize(
    ("new", "exits", "code"),
    [("sa.Text(), nullable=False", 3, "HR300"), ("sa.Text(), sa.ForeignKey('absent'), nullable=True", 6, "HR601")],
)
def test_what_is_refused_or_fails_its_rehearsal_never_comes_to_the_code(
    on_file: Story, new: str, exits: int, code: str
) -> None:
    third = on_file.folder / "alembic" / "versions" / "third.py"
    third.write_text(third.read_text().replace("sa.Text(), nullable=True", new))
    assert on_file.result(*commands(on_file), exits=exits)["error"]["code"] == code
    assert state(on_file) == OLD


@pytest.mark.story
def test_no_password_is_shown_or_kept(on_server: Story) -> None:
    words = commands(on_server, 'echo "at $STAGING_DATABASE_URL"; echo "with ${STAGING_DATABASE_URL%@*}" | cut -d: -f3')
    out, err = on_server.run(*words)
    password = on_server.environment["STAGING_DATABASE_URL"].split(":")[2].partition("@")[0]
    written = [path.read_bytes() for path in (on_server.folder / ".handrail").rglob("*") if path.is_file()]
    assert password not in out + err
    assert all(password.encode() not in data for data in written)
    assert "***" in err
