"""Guarded runs on real SQLite files, through sync and async env.py."""

from __future__ import annotations

import io
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.session import SqliteSessionGuard
from handrail.errors import LockNotObtained, ProjectError
from handrail.facts import DatabaseAddress, TableName
from handrail.migrations.operations import Operation, OperationKind, SourcePosition
from handrail.migrations.revision import Direction
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import (
    InTransactionProof,
    Limits,
    MigrationEvent,
    MigrationFailed,
    MigrationOutcome,
    ProofFailed,
    ProofRequest,
)
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, database_at_b2, make_project, path_of

URLS = {"sync": "sqlite:///local.db", "async": "sqlite+aiosqlite:///local.db"}
HEAD_ROWS = [(1, "파이썬 학습", "SCHEDULED"), (2, "API 개발", "SCHEDULED")]
QUICK = Limits(lock_timeout=0.05, lock_retry=0.3, statement_timeout=30)
TOPICS = {TableName("bookings"): (("id", "topic"),)}
STYLES = pytest.mark.parametrize("style", ["sync", "async"])


def rows(folder: Path, sql: str, name: str = "local.db") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / name)) as connection:
        return connection.execute(sql).fetchall()


def tables(folder: Path) -> list[str]:
    return [str(name) for (name,) in rows(folder, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]


def stamp(folder: Path, name: str = "local.db") -> list[tuple[object, ...]]:
    return rows(folder, "SELECT version_num FROM alembic_version", name)


def run(folder: Path, *scripts: Script, start: str = "", **options: Any) -> MigrationOutcome:
    return AlembicMigrator(folder).run(path_of(*scripts, start=start), **{"limits": QUICK, **options})


def run_c3(folder: Path, text: str, *, style: str = "sync", env: str | None = None, **options: Any) -> MigrationOutcome:
    """Run one more revision on a database that is at b2; `on` becomes a clone of it."""
    c3 = Script("c3", "b2", text)
    make_project(folder, style=style, url=URLS[style], env=env, revisions=(BOOKINGS, STATUS, c3))
    database_at_b2(folder / "local.db")
    migrator = AlembicMigrator(folder)
    if "on" in options:
        shutil.copy(folder / "local.db", options["on"].database)
        migrator.describe()
    return migrator.run(path_of(c3, start="b2"), **{"limits": QUICK, **options})


def clone_of(folder: Path) -> DatabaseAddress:
    return DatabaseAddress("sqlite", str(folder / "clone.db"))


@STYLES
def test_upgrade_and_downgrade_record_what_they_do(tmp_path: Path, style: str) -> None:
    make_project(tmp_path, style=style, url=URLS[style])
    events: list[MigrationEvent] = []
    outcome = run(tmp_path, BOOKINGS, STATUS, on_event=events.append)
    assert rows(tmp_path, "SELECT id, topic, status FROM bookings ORDER BY id") == HEAD_ROWS
    assert stamp(tmp_path) == [("b2",)]
    assert [(event.kind, event.revision, event.text) for event in events if event.kind != "statement"] == [
        ("revision", "a1", "make bookings"),
        ("revision", "b2", "add status"),
        ("committing", "b2", "a1,b2"),
        ("committed", "b2", "a1,b2"),
    ]
    first, second = outcome.runs
    a1, b2 = "migrations/versions/a1_script.py", "migrations/versions/b2_script.py"
    insert = "INSERT INTO bookings (id, topic) VALUES (1, '파이썬 학습'), (2, 'API 개발')"
    bookings = TableName("bookings")
    assert first.operations == (
        Operation(OperationKind.CREATE_TABLE, "a1", SourcePosition(a1, 10), table=bookings),
        Operation(OperationKind.EXECUTE, "a1", SourcePosition(a1, 15), sql=insert),
    )
    assert second.operations == (
        Operation(
            OperationKind.ADD_COLUMN,
            "b2",
            SourcePosition(b2, 11),
            table=bookings,
            column="status",
            nullable=False,
            server_default="'SCHEDULED'",
        ),
    )
    assert [(run.sql.split()[0], run.position, run.rows) for run in first.statements] == [
        ("CREATE", SourcePosition(a1, 10), -1),
        ("INSERT", SourcePosition(a1, 15), 2),
    ]

    back = path_of(STATUS, BOOKINGS, start="b2", direction=Direction.DOWNGRADE)
    AlembicMigrator(tmp_path).run(back, limits=QUICK)
    assert tables(tmp_path) == ["alembic_version"]
    assert stamp(tmp_path) == []


@STYLES
def test_a_failed_run_leaves_nothing_of_any_revision(tmp_path: Path, style: str) -> None:
    broken = Script("c3", "b2", 'op.execute("CREATE TABLE half (id INTEGER)")\nraise ValueError("no way")')
    make_project(tmp_path, style=style, url=URLS[style], revisions=(BOOKINGS, STATUS, broken))
    with pytest.raises(MigrationFailed) as caught:
        run(tmp_path, BOOKINGS, STATUS, broken)
    error = caught.value
    assert error.message == "the script of revision c3 failed at migrations/versions/c3_script.py:11"
    assert error.why == "ValueError: no way"
    assert (error.revision, error.committed) == ("c3", ())
    assert error.position == SourcePosition("migrations/versions/c3_script.py", 11)
    assert tables(tmp_path) == []


FOREIGN_KEYS_ON = """
from sqlalchemy import event
from sqlalchemy.engine import Engine

@event.listens_for(Engine, "connect")
def foreign_keys(connection, record):
    connection.execute("PRAGMA foreign_keys=ON")
"""


def test_children_survive_batch_mode_although_the_app_turns_foreign_keys_on(tmp_path: Path) -> None:
    child = Script(
        "b2",
        "a1",
        """
        op.create_table("guests", sa.Column("booking_id", sa.Integer,
                        sa.ForeignKey("bookings.id", ondelete="CASCADE")))
        op.execute("INSERT INTO guests VALUES (1), (2)")
        with op.batch_alter_table("bookings", recreate="always") as batch:
            batch.alter_column("topic", type_=sa.Text(), existing_type=sa.String(100))
        """,
    )
    make_project(tmp_path, env=FOREIGN_KEYS_ON + SYNC_ENV, revisions=(BOOKINGS, child))
    run(tmp_path, BOOKINGS, child)
    assert rows(tmp_path, "SELECT booking_id FROM guests ORDER BY 1") == [(1,), (2,)]


@STYLES
def test_on_a_clone_the_live_file_is_not_touched_and_rewrites_are_seen(tmp_path: Path, style: str) -> None:
    recreate = 'with op.batch_alter_table("bookings", recreate="always") as batch:\n    pass'
    live = database_at_b2(tmp_path / "same.db").read_bytes()
    outcome = run_c3(tmp_path, recreate, style=style, on=clone_of(tmp_path))
    assert (tmp_path / "local.db").read_bytes() == live
    assert stamp(tmp_path, "clone.db") == [("c3",)]
    rewritten = {table for statement in outcome.runs[0].statements for table in statement.rewritten}
    assert TableName("bookings") in rewritten


@pytest.mark.parametrize(
    "body",
    [
        'sa.create_engine("sqlite:///other.db").connect()',
        'import sqlite3\nsqlite3.connect("local.db").execute("DELETE FROM bookings")',
    ],
)
def test_on_a_clone_other_connections_are_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(MigrationFailed, match="revision c3 failed") as caught:
        run_c3(tmp_path, body, on=clone_of(tmp_path))
    assert "was refused" in caught.value.why
    assert not (tmp_path / "other.db").exists()
    assert rows(tmp_path, "SELECT count(*) FROM bookings") == [(2,)]


def test_a_script_with_an_engine_of_its_own_is_redirected(tmp_path: Path) -> None:
    own = """
    engine = sa.create_engine("sqlite:///local.db")
    with engine.connect() as connection:
        print("OWN", [row[2] for row in connection.execute(sa.text("PRAGMA database_list"))])
    engine.dispose()
    """
    outcome = run_c3(tmp_path, own, on=clone_of(tmp_path))
    assert outcome.output == f"OWN ['{tmp_path / 'clone.db'}']\n"


def test_on_live_a_driver_that_writes_beside_alembic_is_a_clear_error(tmp_path: Path) -> None:
    text = 'import sqlite3\nraw = sqlite3.connect("local.db", timeout=0.1)\nraw.execute("DELETE FROM bookings")'
    with pytest.raises(MigrationFailed) as caught:
        run_c3(tmp_path, text)
    assert caught.value.why == "OperationalError: database is locked"
    assert "a connection of its own" in caught.value.hint
    assert rows(tmp_path, "SELECT count(*) FROM bookings") == [(2,)]


ENDINGS = [
    ('op.execute("  -- now\\n commit")', "sync", "the script says COMMIT by itself"),
    ('op.execute("BEGIN")', "sync", "the script says BEGIN by itself"),
    ("op.get_bind().commit()", "sync", "the script calls commit() by itself"),
    ("op.get_bind().commit()", "async", "the script calls commit() by itself"),
    ("op.get_bind().rollback()", "sync", "the script calls rollback() by itself"),
    ("op.get_bind().connection.commit()", "async", "the script committed by itself"),
]


@pytest.mark.parametrize(("ending", "style", "why"), ENDINGS)
def test_a_script_may_not_end_the_transaction(tmp_path: Path, ending: str, style: str, why: str) -> None:
    with pytest.raises(MigrationFailed) as caught:
        run_c3(tmp_path, ending, style=style)
    assert caught.value.why.startswith(why)
    assert stamp(tmp_path) == [("b2",)]


def test_savepoints_are_the_scripts_own_affair(tmp_path: Path) -> None:
    run_c3(
        tmp_path,
        """
        bind = op.get_bind()
        try:
            with bind.begin_nested():
                bind.execute(sa.text("DELETE FROM bookings"))
                raise KeyError
        except KeyError:
            pass
        """,
    )
    assert rows(tmp_path, "SELECT count(*) FROM bookings") == [(2,)]
    assert stamp(tmp_path) == [("c3",)]


def test_sys_exit(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match=r"c3 called sys\.exit at") as caught:
        run_c3(tmp_path, 'import sys\nprint("bye")\nsys.exit(3)')
    assert (caught.value.why, caught.value.output) == ("sys.exit(3)", "bye\n")
    assert stamp(tmp_path) == [("b2",)]


def test_os_exit(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="c3 ended the process") as caught:
        run_c3(tmp_path, 'import os\nprint("gone")\nos._exit(0)')
    assert caught.value.why == "exit status 0; its last words: gone"
    assert stamp(tmp_path) == [("b2",)]


@STYLES
def test_autocommit_block_commits_what_came_before(tmp_path: Path, style: str) -> None:
    block = Script(
        "c3", "b2", 'with op.get_context().autocommit_block():\n    op.execute("VACUUM")\nraise ValueError("late")'
    )
    make_project(tmp_path, style=style, url=URLS[style], revisions=(BOOKINGS, STATUS, block))
    with pytest.raises(MigrationFailed) as caught:
        run(tmp_path, BOOKINGS, STATUS, block)
    assert caught.value.committed == ("a1", "b2")
    assert caught.value.why == "ValueError: late; what it did before its autocommit_block is committed already"
    assert stamp(tmp_path) == [("b2",)]


@STYLES
def test_the_proof_is_made_inside_the_transaction_and_judged_before_the_commit(tmp_path: Path, style: str) -> None:
    judged: list[tuple[str, InTransactionProof]] = []

    def judge(revision: str, proof: InTransactionProof) -> None:
        assert stamp(tmp_path) == [("b2",)]
        judged.append((revision, proof))

    outcome = run_c3(
        tmp_path,
        'op.add_column("bookings", sa.Column("note", sa.String(10)))',
        style=style,
        proofs={"c3": ProofRequest(TOPICS, TOPICS)},
        judge=judge,
    )
    assert stamp(tmp_path) == [("c3",)]
    assert outcome.proofs == dict(judged)
    [(revision, proof)] = judged
    assert revision == "c3"
    assert proof.before.tables == proof.after.tables
    assert proof.before.rows == 2
    columns = [table.column_names() for facts in (proof.facts_before, proof.facts_after) for table in facts.tables]
    assert columns == [("id", "topic", "status"), ("id", "topic", "status", "note")]
    with closing(sqlite3.connect(tmp_path / "local.db")) as connection:
        guard = SqliteSessionGuard(connection, lock_timeout=1)
        assert guard.fingerprint(TOPICS).tables == proof.after.tables


@STYLES
@pytest.mark.parametrize("is_unchanged", [True, False])
def test_what_is_known_of_an_unchanged_file_is_not_read_again(tmp_path: Path, style: str, is_unchanged: bool) -> None:
    """The digests of before are taken from the dump, here made recognisable, unless somebody wrote since."""
    c3 = Script("c3", "b2", "pass")
    make_project(tmp_path, style=style, url=URLS[style], revisions=(BOOKINGS, STATUS, c3))
    database_at_b2(tmp_path / "local.db")
    database = SqliteDatabase(DatabaseAddress("sqlite", str(tmp_path / "local.db")), work_dir=tmp_path / "work")
    real = database.dump(io.BytesIO(), fingerprint_request=TOPICS).fingerprint
    known = replace(real, tables=tuple(replace(table, rows=table.rows + 40) for table in real.tables))
    if not is_unchanged:
        with closing(sqlite3.connect(tmp_path / "local.db", isolation_level=None)) as other:
            other.execute("UPDATE bookings SET status = 'LATE' WHERE id = 1")
    outcome = run(tmp_path, c3, start="b2", proofs={"c3": ProofRequest(TOPICS, TOPICS, known=known)})
    proof = outcome.proofs["c3"]
    assert (proof.before.rows, proof.after.rows) == (42 if is_unchanged else 2, 2)
    assert proof.after.tables == real.tables


@STYLES
def test_a_judge_who_raises_rolls_everything_back(tmp_path: Path, style: str) -> None:
    def judge(_revision: str, proof: InTransactionProof) -> None:
        if proof.before.tables != proof.after.tables:
            raise ProofFailed("bookings changed")

    with pytest.raises(ProofFailed, match="bookings changed"):
        run_c3(
            tmp_path,
            "op.execute(\"UPDATE bookings SET topic = 'x' WHERE id = 1\")",
            style=style,
            proofs={"c3": ProofRequest(TOPICS, TOPICS)},
            judge=judge,
        )
    assert rows(tmp_path, "SELECT id, topic, status FROM bookings ORDER BY id") == HEAD_ROWS
    assert stamp(tmp_path) == [("b2",)]


def test_a_locked_database_is_given_up_after_lock_retry(tmp_path: Path) -> None:
    make_project(tmp_path)
    database_at_b2(tmp_path / "local.db")
    events: list[MigrationEvent] = []
    c3 = Script("c3", "b2")
    make_project(tmp_path, revisions=(BOOKINGS, STATUS, c3))
    with closing(sqlite3.connect(tmp_path / "local.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockNotObtained, match="stayed locked"):
            run(tmp_path, c3, start="b2", on_event=events.append)
    assert {event.kind for event in events} == {"lock_wait"}
    assert stamp(tmp_path) == [("b2",)]


@STYLES
def test_a_locked_database_is_waited_for(tmp_path: Path, style: str) -> None:
    c3 = Script("c3", "b2")
    make_project(tmp_path, style=style, url=URLS[style], revisions=(BOOKINGS, STATUS, c3))
    database_at_b2(tmp_path / "local.db")
    with closing(sqlite3.connect(tmp_path / "local.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def release(event: MigrationEvent) -> None:
            if event.kind == "lock_wait" and other.in_transaction:
                other.execute("COMMIT")

        outcome = run(tmp_path, c3, start="b2", limits=Limits(0.05, 30, 30), on_event=release)
    assert outcome.lock_waits >= 1
    assert stamp(tmp_path) == [("c3",)]


def test_readers_may_delay_the_commit(tmp_path: Path) -> None:
    c3 = Script("c3", "b2", 'op.execute("CREATE TABLE x (id INTEGER)")')
    make_project(tmp_path, revisions=(BOOKINGS, STATUS, c3))
    database_at_b2(tmp_path / "local.db")
    with closing(sqlite3.connect(tmp_path / "local.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM bookings").fetchall()
        with pytest.raises(LockNotObtained, match="stayed locked"):
            run(tmp_path, c3, start="b2")

        def release(event: MigrationEvent) -> None:
            if event.kind == "committing":
                other.execute("COMMIT")

        run(tmp_path, c3, start="b2", limits=Limits(0.05, 30, 30), on_event=release)
    assert stamp(tmp_path) == [("c3",)]


OTHER_ENVIRONMENTS = {
    "engine.begin()": SYNC_ENV.replace("engine.connect()", "engine.begin()"),
    "no begin_transaction": SYNC_ENV.replace(
        "        with context.begin_transaction():\n            context.run_migrations()\n\n",
        "        context.run_migrations()\n\n",
    ),
    "autobegun before": SYNC_ENV.replace(
        "as connection:\n", 'as connection:\n        connection.exec_driver_sql("SELECT 1")\n'
    ),
    "AUTOCOMMIT": SYNC_ENV.replace("poolclass=", 'isolation_level="AUTOCOMMIT", poolclass='),
}


@pytest.mark.parametrize("env", OTHER_ENVIRONMENTS)
def test_every_way_to_write_env_py_is_atomic_and_committed(tmp_path: Path, env: str) -> None:
    assert OTHER_ENVIRONMENTS[env] != SYNC_ENV
    scripts = (BOOKINGS, STATUS, Script("c3", "b2", 'raise ValueError("no")'))
    make_project(tmp_path, env=OTHER_ENVIRONMENTS[env], revisions=scripts)
    with pytest.raises(MigrationFailed, match="c3"):
        run(tmp_path, *scripts)
    assert [name for name in tables(tmp_path) if name != "alembic_version"] == []
    run(tmp_path, BOOKINGS, STATUS)
    assert stamp(tmp_path) == [("b2",)]


def test_a_database_that_moved_meanwhile_is_refused(tmp_path: Path) -> None:
    make_project(tmp_path)
    database_at_b2(tmp_path / "local.db")
    with pytest.raises(ProjectError, match="the database is at b2, no longer at a1"):
        run(tmp_path, STATUS, start="a1")


def test_an_empty_path_starts_no_process(tmp_path: Path) -> None:
    make_project(tmp_path)
    empty = path_of(STATUS, start="b2").__class__(Direction.UPGRADE, ("b2",), ("b2",), ())
    assert AlembicMigrator(tmp_path, python="/does/not/exist").run(empty) == MigrationOutcome(empty, ())
